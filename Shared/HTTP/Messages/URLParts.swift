import CCurl

/// An absolute URL, taken apart by the parser of libcurl, which is what connects: nobody else's idea of where a host ends counts.
///
/// Takes the schemes that libcurl does not know too. Text with characters outside of visible ASCII is no URL.
public struct URLParts: Sendable, Equatable {
    /// In lower case.
    public let scheme: String
    /// Decoded; nil where there are no credentials.
    public let user: String?
    /// Decoded; nil where there is none.
    public let password: String?
    /// An IPv6 address is without its brackets.
    public let host: String
    /// As it is written; nil where it is not.
    public let port: Int?
    /// At least a slash.
    public let path: String
    /// As it is written, without its question mark; nil where there is none.
    public let query: String?

    /// Takes apart a URL; nil when it is none, or its credentials cannot be decoded.
    public init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let slashes = text.firstRange(of: "://"),
            !text[slashes.upperBound...].hasPrefix("/"), let handle = unsafe curl_url()
        else { return nil }
        defer { unsafe curl_url_cleanup(handle) }
        let flags = UInt32(CURLU_NON_SUPPORT_SCHEME)
        guard unsafe curl_url_set(handle, CURLUPART_URL, text, flags) == CURLUE_OK else { return nil }

        func part(_ part: CURLUPart) -> String? {
            var pointer: UnsafeMutablePointer<CChar>?
            let status = unsafe curl_url_get(handle, part, &pointer, 0)
            defer { unsafe curl_free(pointer) }
            guard status == CURLUE_OK, let pointer = unsafe pointer else { return nil }
            return unsafe String(validatingCString: pointer)
        }
        /// Decoded here, for libcurl leaves a broken escape as it is; nil where it is broken, a nil within where there is none.
        func decoded(_ which: CURLUPart) -> String?? {
            guard let text = part(which) else { return .some(nil) }
            return PercentEncoding.decode(text.utf8, plusIsSpace: false).map { .some($0) }
        }
        guard let scheme = part(CURLUPART_SCHEME), let host = part(CURLUPART_HOST), !host.isEmpty,
            let user = decoded(CURLUPART_USER), let password = decoded(CURLUPART_PASSWORD)
        else { return nil }
        self.scheme = scheme.lowercased()
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        self.user = user
        self.password = password
        port = part(CURLUPART_PORT).flatMap { Int($0) }
        path = part(CURLUPART_PATH) ?? "/"
        query = part(CURLUPART_QUERY)
    }

    /// The host as a URL has it, with the port where it is written.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port.map { "\(name):\($0)" } ?? name
    }

    /// The user still encoded, nothing of the password, and of query and fragment only that there is one: for logs and help.
    ///
    /// Text that is no URL is not shown at all, for nobody knows where in it a secret is.
    public static func redacted(_ text: String) -> String {
        guard let parts = URLParts(text) else { return "(not shown)" }
        let user = parts.user.map { "\(PercentEncoding.encode($0))@" } ?? ""
        let path = parts.path == "/" && !text.prefix(while: { $0 != "?" && $0 != "#" }).hasSuffix("/") ? "" : parts.path
        let rest = text.contains(where: { $0 == "?" || $0 == "#" }) ? "?(not shown)" : ""
        return "\(parts.scheme)://\(user)\(parts.authority)\(path)\(rest)"
    }
}
