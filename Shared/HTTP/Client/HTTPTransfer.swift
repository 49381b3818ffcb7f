import CCurl
import Glibc

/// One request on its way through libcurl.
///
/// Safe to send: its maker fills it before it hands it over, and from then on the loop's thread alone touches it.
@safe final class HTTPTransfer: CurlTransfer, @unchecked Sendable {
    var stage = CurlStage.new
    var continuation: CheckedContinuation<HTTPClient.Response, any Error>?
    private let request: HTTPClient.Request
    private let certificateAuthorities: String?
    private let headerList = CurlList()
    /// What libcurl writes its message into.
    private let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    private var headers = HTTPHeaders()
    private var headerSize = 0
    /// The empty line after the headers of the last response has come.
    private var areHeadersWhole = false
    private var body: [UInt8] = []
    private var isTooLarge = false
    /// How many times libcurl was about to send the request.
    private var attempts = 0

    /// The most bytes of header fields that are taken.
    private static let maximumHeaderSize = 256 << 10

    init(_ request: HTTPClient.Request, certificateAuthorities: String?) {
        self.request = request
        self.certificateAuthorities = certificateAuthorities
        unsafe message.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit { unsafe message.deallocate() }

    func configure(_ easy: EasyHandle) throws {
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        try easy.setCommon(timeout: request.timeout, connectTimeout: request.connectTimeout)
        try easy.set(CURLOPT_PROTOCOLS_STR, "http,https")
        try easy.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try easy.set(CURLOPT_URL, request.url)
        try unsafe easy.set(CURLOPT_ERRORBUFFER, pointer: message)
        if let certificateAuthorities { try easy.set(CURLOPT_CAINFO, certificateAuthorities) }
        if let (user, password) = request.basicCredentials {
            try easy.set(CURLOPT_HTTPAUTH, 1)  // CURLAUTH_BASIC
            try easy.set(CURLOPT_USERNAME, user)
            try easy.set(CURLOPT_PASSWORD, password)
        }
        try configureBody(easy)
        try configureHeaders(easy)
        try unsafe easy.set(CURLOPT_HEADERFUNCTION, sink: receiveHeader)
        try unsafe easy.set(CURLOPT_HEADERDATA, pointer: context)
        try unsafe easy.set(CURLOPT_WRITEFUNCTION, sink: receiveBody)
        try unsafe easy.set(CURLOPT_WRITEDATA, pointer: context)
        try unsafe easy.set(prerequest: aboutToSend)
        try unsafe easy.set(CURLOPT_PREREQDATA, pointer: context)
    }

    private func configureBody(_ easy: EasyHandle) throws {
        if request.method == "HEAD" {
            try easy.set(CURLOPT_NOBODY, 1)
        } else if !request.body.isEmpty || ["POST", "PUT", "PATCH"].contains(request.method) {
            // The size first: the option that copies asks for it.
            try easy.set(CURLOPT_POSTFIELDSIZE_LARGE, offset: request.body.count)
            var body = request.body.isEmpty ? [0] : request.body
            try unsafe body.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                try unsafe easy.set(CURLOPT_COPYPOSTFIELDS, pointer: base)
            }
        }
        try easy.set(CURLOPT_CUSTOMREQUEST, request.method)
    }

    private func configureHeaders(_ easy: EasyHandle) throws {
        for field in request.headers.fields {
            // A field without a value would be taken for one to leave out; this is how libcurl wants it written.
            headerList.append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        // Nothing that was not asked for: no type that is wrong, no wait for leave to send the body.
        for name in ["Content-Type", "Expect", "Accept"] where request.headers[name] == nil {
            headerList.append(name == "Accept" ? "Accept: */*" : "\(name):")
        }
        try easy.set(CURLOPT_HTTPHEADER, list: headerList)
    }

    func finish(_ easy: EasyHandle, _ result: CURLcode) {
        // A response that ends within its headers is a success to libcurl.
        if result == CURLE_OK, !areHeadersWhole { return fail(.reset, "the response broke off", isUnknown: true) }
        if result == CURLE_OK {
            let response = HTTPClient.Response(status: easy.get(CURLINFO_RESPONSE_CODE), headers: headers, body: body)
            return resume(.success(response))
        }
        let isUnknown = easy.get(CURLINFO_REQUEST_SIZE) > 0
        fail(code(result, isUnknown), reason(result), isUnknown: isUnknown)
    }

    func abort(_ easy: EasyHandle?, _ reason: CurlAbort) {
        let isUnknown = easy.map { $0.get(CURLINFO_REQUEST_SIZE) > 0 } ?? false
        switch reason {
        case .cancelled: fail(.cancelled, "the request was cancelled", isUnknown: isUnknown)
        case .closed: fail(.cancelled, "the client is closed", isUnknown: isUnknown)
        case .failed(let text): fail(.other, text, isUnknown: isUnknown)
        }
    }

    private func fail(_ code: HTTPClient.Failure.Code, _ reason: String, isUnknown: Bool) {
        let failure = HTTPClient.Failure(code, "\(redactedURL(request.url)): \(reason)", isUnknown: isUnknown)
        resume(.failure(failure))
    }

    private func resume(_ result: Result<HTTPClient.Response, HTTPClient.Failure>) {
        continuation.take()?.resume(with: result.mapError { $0 as any Error })
    }

    private func code(_ result: CURLcode, _ wasSent: Bool) -> HTTPClient.Failure.Code {
        switch result {
        case CURLE_URL_MALFORMAT: .invalidURL
        // Either that of the URL, or what came back is none that libcurl knows.
        case CURLE_UNSUPPORTED_PROTOCOL: wasSent ? .malformedResponse : .invalidURL
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .unresolved
        // A reused connection died, and no other could be made for the second attempt.
        case CURLE_COULDNT_CONNECT: wasSent ? .reset : .refused
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE: .reset
        case CURLE_ABORTED_BY_CALLBACK: .reset
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CIPHER,
            CURLE_SSL_CERTPROBLEM, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CRL_BADFILE:
            .tls
        case CURLE_WRITE_ERROR: isTooLarge ? .tooLarge : .malformedResponse
        case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING: .malformedResponse
        default: .other
        }
    }

    private func reason(_ result: CURLcode) -> String {
        if isTooLarge { return "the response is larger than \(request.maximumBodySize) bytes" }
        if result == CURLE_ABORTED_BY_CALLBACK {
            return "the connection ended without a response, and the request may not be sent twice"
        }
        // libcurl's message about a URL that it cannot read may hold a part of it.
        let isAboutURL = result == CURLE_URL_MALFORMAT || request.url.contains("@")
        let text = unsafe String(cString: message)
        return isAboutURL || text.isEmpty ? unsafe String(cString: curl_easy_strerror(result)) : text
    }

    // MARK: - Called by libcurl

    fileprivate func takeHeader(_ bytes: UnsafeBufferPointer<CChar>) -> Bool {
        headerSize += bytes.count
        guard headerSize <= Self.maximumHeaderSize else {
            isTooLarge = true
            return false
        }
        let line = unsafe String(decoding: UnsafeRawBufferPointer(bytes), as: UTF8.self)
        // A line with a status begins a response; those before were interim ones.
        if line.hasPrefix("HTTP/") {
            headers = HTTPHeaders()
            areHeadersWhole = false
        } else if line == "\r\n" || line == "\n" {
            areHeadersWhole = true
        } else if !areHeadersWhole, let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) {
            let value = line[line.index(after: colon)...].trimmingSpace
            headers.add(String(line[..<colon]), String(value))
        }
        return true
    }

    fileprivate func takeBody(_ bytes: UnsafeBufferPointer<CChar>) -> Bool {
        guard body.count + bytes.count <= request.maximumBodySize else {
            isTooLarge = true
            return false
        }
        unsafe body.append(contentsOf: UnsafeRawBufferPointer(bytes))
        return true
    }

    /// Whether the request may be sent: the first time, or again if that does no harm.
    fileprivate func maySend() -> Bool {
        attempts += 1
        return attempts == 1 || !["POST", "PATCH"].contains(request.method)
            || request.headers["Idempotency-Key"] != nil
    }
}

extension Substring {
    fileprivate var trimmingSpace: Substring {
        var result = self
        while let first = result.unicodeScalars.first, first.properties.isWhitespace {
            result = Substring(result.unicodeScalars.dropFirst())
        }
        while let last = result.unicodeScalars.last, last.properties.isWhitespace {
            result = Substring(result.unicodeScalars.dropLast())
        }
        return result
    }
}

private func transfer(_ context: UnsafeMutableRawPointer?) -> HTTPTransfer? {
    unsafe context.map { unsafe Unmanaged<HTTPTransfer>.fromOpaque($0).takeUnretainedValue() }
}

// What libcurl calls; what is returned short of the count given ends the transfer with CURLE_WRITE_ERROR.

private let receiveHeader: curl_write_callback = { bytes, size, count, context in
    let buffer = unsafe UnsafeBufferPointer(start: bytes, count: size * count)
    return unsafe transfer(context)?.takeHeader(buffer) == true ? size * count : 0
}

private let receiveBody: curl_write_callback = { bytes, size, count, context in
    let buffer = unsafe UnsafeBufferPointer(start: bytes, count: size * count)
    return unsafe transfer(context)?.takeBody(buffer) == true ? size * count : 0
}

private let aboutToSend: curl_prereq_callback = { context, _, _, _, _ in
    unsafe transfer(context)?.maySend() == true ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}
