import CCurl
import Glibc

/// One mail on its way through libcurl.
///
/// Safe to send: its maker fills it before it hands it over, and from then on the loop's thread alone touches it.
@safe final class SMTPTransfer: CurlTransfer, @unchecked Sendable {
    var stage = CurlStage.new
    var continuation: CheckedContinuation<Void, any Error>?
    private let mail: Mail
    private let server: SMTPServer
    private let timeout: Duration
    private let connectTimeout: Duration
    private let certificateAuthorities: String?
    private let recipients = CurlList()
    /// What libcurl writes its message into.
    private let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private var easy: EasyHandle?
    private var replies = SMTPReplies()

    private let payload: [UInt8]
    private var offset = 0

    /// The longest that one reply may take, but for the one to the final dot.
    ///
    /// Also bounds the wait for the reply to `QUIT` after a refusal, for which libcurl holds the thread.
    private static let replyTimeout = 120

    init(
        _ mail: Mail,
        server: SMTPServer,
        timeout: Duration,
        connectTimeout: Duration,
        certificateAuthorities: String?
    ) {
        self.mail = mail
        self.server = server
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.certificateAuthorities = certificateAuthorities
        payload = mail.message
        unsafe message.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit { unsafe message.deallocate() }

    func configure(_ easy: EasyHandle) throws {
        self.easy = easy
        try easy.setCommon(timeout: timeout, connectTimeout: connectTimeout)
        try easy.set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        // The path is what libcurl says in EHLO; without one that is the machine's name.
        try easy.set(CURLOPT_URL, server.url + "/" + PercentEncoding.encode(server.helloName ?? ""))
        try unsafe easy.set(CURLOPT_HEADERFUNCTION, sink: receiveReply)
        try unsafe easy.set(CURLOPT_HEADERDATA, pointer: Unmanaged.passUnretained(self).toOpaque())
        try unsafe easy.set(CURLOPT_ERRORBUFFER, pointer: message)
        if let certificateAuthorities { try easy.set(CURLOPT_CAINFO, certificateAuthorities) }
        if let (user, password) = server.credentials {
            try easy.set(CURLOPT_USERNAME, user)
            try easy.set(CURLOPT_PASSWORD, password)
        }
        switch server.startTLS {
        case .auto: try easy.set(CURLOPT_USE_SSL, Int(CURLUSESSL_TRY.rawValue))
        case .required: try easy.set(CURLOPT_USE_SSL, Int(CURLUSESSL_ALL.rawValue))
        case .never, nil: break
        }
        try easy.set(CURLOPT_SERVER_RESPONSE_TIMEOUT, Self.replyTimeout)
        try easy.set(CURLOPT_MAIL_FROM, mail.sender.address)
        recipients.append(mail.recipient.address)
        try easy.set(CURLOPT_MAIL_RCPT, list: recipients)
        try easy.set(CURLOPT_UPLOAD, 1)
        try easy.set(CURLOPT_INFILESIZE_LARGE, offset: payload.count)
        try unsafe easy.set(source: readPayload)
        try unsafe easy.set(CURLOPT_READDATA, pointer: Unmanaged.passUnretained(self).toOpaque())
    }

    func finish(_ easy: EasyHandle, _ result: CURLcode) {
        self.easy = nil
        guard result != CURLE_OK else { return resume(.success(())) }
        let code = easy.get(CURLINFO_RESPONSE_CODE)
        // A code of success is that of an earlier step: the one that failed had no reply.
        let replyCode = (400...599).contains(code) ? code : nil
        let text = unsafe String(cString: message)
        var reason = text.isEmpty ? unsafe String(cString: curl_easy_strerror(result)) : text
        if let replyCode {
            let words = replies.words(of: replyCode).map { " \($0)" } ?? ""
            reason += "; the server said: \(replyCode)\(words)"
        }
        resume(
            .failure(
                SMTPFailure(
                    replyCode: replyCode,
                    reason: "\(server.url): \(reason)",
                    isPermanent: isAboutMail(result) ? nil : false
                )
            )
        )
    }

    /// Whether a refusal is the mail's: what a server says at its greeting, to EHLO, STARTTLS or the login is said to whoever comes.
    private func isAboutMail(_ result: CURLcode) -> Bool {
        switch result {
        case CURLE_LOGIN_DENIED, CURLE_REMOTE_ACCESS_DENIED, CURLE_USE_SSL_FAILED: false
        // At the greeting, or in answer to the final dot.
        case CURLE_WEIRD_SERVER_REPLY: offset > 0
        default: true
        }
    }

    func abort(_ easy: EasyHandle?, _ reason: CurlAbort) {
        self.easy = nil
        let text =
            switch reason {
            case .cancelled: "sending the mail was cancelled"
            case .closed: "the client is closed"
            case .failed(let text): text
            }
        resume(.failure(SMTPFailure(replyCode: nil, reason: text)))
    }

    private func resume(_ result: Result<Void, SMTPFailure>) {
        continuation.take()?.resume(with: result.mapError { $0 as any Error })
    }

    /// Called by libcurl with each line that the server says.
    fileprivate func take(reply line: UnsafeRawBufferPointer) {
        replies.take(unsafe String(decoding: line, as: UTF8.self))
    }

    /// Called by libcurl: copies the next bytes of the mail.
    fileprivate func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, payload.count - offset)
        unsafe buffer.copyBytes(from: payload[offset..<offset + count])
        offset += count
        if offset == payload.count, let easy {
            // What comes next is the reply to the final dot, which may take as long as the whole may. If libcurl did not take
            // the option, its shorter limit stays.
            try? easy.set(CURLOPT_SERVER_RESPONSE_TIMEOUT, max(1, timeout.milliseconds / 1000))
        }
        return count
    }
}

private let receiveReply: curl_write_callback = { bytes, size, count, context in
    guard let context = unsafe context else { return 0 }
    let transfer = unsafe Unmanaged<SMTPTransfer>.fromOpaque(context).takeUnretainedValue()
    unsafe transfer.take(reply: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return size * count
}

private let readPayload: curl_read_callback = { buffer, size, count, context in
    guard let buffer = unsafe buffer, let context = unsafe context else { return Int(CURL_READFUNC_ABORT) }
    let transfer = unsafe Unmanaged<SMTPTransfer>.fromOpaque(context).takeUnretainedValue()
    return unsafe transfer.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
}
