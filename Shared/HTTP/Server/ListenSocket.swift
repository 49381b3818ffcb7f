import CSockets
import Glibc

/// Where a server listens: `host:port`, with IPv6 in brackets.
struct ListenAddress: Sendable {
    let text: String
    let host: String
    let port: UInt16

    /// Takes apart `127.0.0.1:8081`, `localhost:0` or `[::1]:8081`.
    init(_ text: String) throws(HTTPServerError) {
        self.text = text
        guard
            let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
            text[text.index(after: colon)...].utf8.allSatisfy({ $0 != UInt8(ascii: "+") })
        else {
            throw HTTPServerError(
                .invalidAddress,
                "\(text) is no address to listen on; write host:port, 127.0.0.1:8081 for example"
            )
        }
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2
        guard !host.isEmpty, host != "[]", isBracketed || !host.contains(":") else {
            throw HTTPServerError(
                .invalidAddress,
                "\(text) is no address to listen on; write host:port, and IPv6 in brackets: [::1]:8081"
            )
        }
        self.host = isBracketed ? String(host.dropFirst().dropLast()) : String(host)
        self.port = port
    }

    /// Opens a listening, non-blocking socket.
    ///
    /// May wait for the resolver of names: not for Swift's pool of threads.
    func listen() throws(HTTPServerError) -> Int32 {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard status == 0, let first = unsafe list else {
            throw HTTPServerError(
                .cannotListen,
                "cannot listen on \(text): \(host) is no address of this machine (\(unsafe String(cString: gai_strerror(status))))"
            )
        }
        defer { unsafe freeaddrinfo(list) }
        let address = unsafe first.pointee
        let descriptor = unsafe socket(
            address.ai_family,
            address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue),
            address.ai_protocol
        )
        guard descriptor >= 0 else { throw failure(errno) }
        var one: Int32 = 1
        // Without it a restart would have to wait until the connections of the process before have timed out.
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard
            unsafe bind(descriptor, address.ai_addr, address.ai_addrlen) == 0,
            Glibc.listen(descriptor, Int32(SOMAXCONN)) == 0
        else {
            let code = errno
            close(descriptor)
            throw failure(code)
        }
        return descriptor
    }

    private func failure(_ code: Int32) -> HTTPServerError {
        let mend =
            switch code {
            case EADDRINUSE: "the port is in use; stop what listens there, or set another address"
            case EACCES: "it is not allowed; ports below 1024 need a privilege, set a higher one"
            case EADDRNOTAVAIL: "this machine has no such address; set one that it has, 127.0.0.1 for example"
            default: unsafe String(cString: strerror(code))
            }
        return HTTPServerError(.cannotListen, "cannot listen on \(text): \(mend)")
    }
}

/// The port that a socket is bound to.
func boundPort(of descriptor: Int32) -> Int {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return unsafe withUnsafeMutableBytes(of: &storage) { bytes in
        guard let base = bytes.baseAddress else { return 0 }
        let address = unsafe base.assumingMemoryBound(to: sockaddr.self)
        guard unsafe getsockname(descriptor, address, &length) == 0 else { return 0 }
        switch unsafe warren_address_family(address) {
        case AF_INET:
            return Int(UInt16(bigEndian: unsafe base.assumingMemoryBound(to: sockaddr_in.self).pointee.sin_port))
        case AF_INET6:
            return Int(UInt16(bigEndian: unsafe base.assumingMemoryBound(to: sockaddr_in6.self).pointee.sin6_port))
        default: return 0
        }
    }
}
