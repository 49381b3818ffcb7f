@testable import AMQP

/// AMQP URIs: what is taken is usable, and nothing that is printed repeats the password.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    do throws(AMQPError) {
        let endpoint = try Endpoint(uri: text)
        precondition(!endpoint.host.isEmpty && !endpoint.host.utf8.contains(0))
        precondition((1...65_535).contains(endpoint.port))
        precondition(endpoint.virtualHost.utf8.count <= 255 && !endpoint.virtualHost.utf8.contains(0))
        precondition((endpoint.security?.certificate == nil) == (endpoint.security?.key == nil))
        if case .plain(let user, let password) = endpoint.authentication {
            precondition(!user.utf8.contains(0) && !password.utf8.contains(0))
            var other = endpoint
            other.authentication = .plain(user: "", password: "")
            precondition("\(endpoint)" == "\(other)", "what is printed depends on the credentials")
        }
    } catch {
        precondition(error.code == .invalidURL)
        checkSecrecy(of: text)
    }
    return 0
}

/// With another password of the same kind the same error comes.
private func checkSecrecy(of text: String) {
    let uri = "amqp://user:\(text.filter { !"/?#@".contains($0) })@\(text)"
    let other = "amqp://user:x@\(text)"
    let (first, second) = (fault(of: uri), fault(of: other))
    // The password may have a fault of its own; that one names no more than the part.
    precondition(
        first == second || first?.contains("the password ") == true || second == nil,
        "an error shows a password"
    )
}

private func fault(of text: String) -> String? {
    do throws(AMQPError) {
        _ = try Endpoint(uri: text)
        return nil
    } catch {
        return error.description
    }
}
