import CRabbitMQ

extension AMQPError {
    /// What a status of the C library means.
    init(status: Int32, doing what: String, code: Code = .connectionLost) {
        let text = unsafe amqp_error_string2(status).map { unsafe String(cString: $0) } ?? "status \(status)"
        if status == AMQP_STATUS_SOCKET_ERROR.rawValue, code == .connectionFailed {
            self.init(code: code, reason: "\(what): the connection was refused or the host cannot be reached")
            return
        }
        let found: Code =
            switch status {
            case Int32(AMQP_STATUS_TIMEOUT.rawValue), Int32(AMQP_STATUS_HEARTBEAT_TIMEOUT.rawValue):
                code == .connectionFailed ? .connectionFailed : .connectionLost
            default: code
            }
        self.init(code: found, reason: "\(what): \(text)")
    }

    /// What the broker's reason for closing a channel or a connection means; a known cause gets its mend.
    ///
    /// - Parameter closesChannel: whether it is the channel that the broker closed.
    package init(replyCode: UInt16, text: String, doing what: String, closesChannel: Bool = false) {
        let code: Code
        var mend = ""
        switch replyCode {
        case 403:
            code = .accessRefused
            mend = "; check the user, its password and its permissions"
        case 530:
            code = .accessRefused
            mend = "; check the virtual host in the URI and the user's permissions there"
        case 404:
            code = .notFound
            mend = "; declare it first, or have the service declare its topology"
        case 406:
            code = .preconditionFailed
            if let argument = Self.inequivalentArgument(in: text) {
                mend =
                    "; it exists with another '\(argument)': declare it with the same one, delete it, or use a new name"
            } else if text.contains("user_id property set to") {
                mend =
                    "; a message names its connection's user or nobody: where the broker calls that user otherwise than it "
                    + "logged in, add ?user_id=none to the URI"
            }
        default:
            code = .connectionLost
        }
        self.init(
            code: code,
            reason: "\(what): \(replyCode) \(text)\(mend)",
            channelClose: closesChannel ? replyCode : nil
        )
    }

    /// The argument that a redeclaration disagrees about: `inequivalent arg 'x-queue-type' for queue …`.
    private static func inequivalentArgument(in text: String) -> String? {
        let parts = text.split(separator: "inequivalent arg '", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        return parts[1].split(separator: "'", maxSplits: 1).first.map(String.init)
    }

    /// What an answer of the C library means; nil if it is good.
    init?(_ reply: amqp_rpc_reply_t, doing what: String, code: Code = .connectionLost) {
        switch unsafe reply.reply_type {
        case AMQP_RESPONSE_NORMAL:
            return nil
        case AMQP_RESPONSE_LIBRARY_EXCEPTION:
            unsafe self.init(status: reply.library_error, doing: what, code: code)
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            let method = unsafe reply.reply
            guard let decoded = unsafe method.decoded else {
                self.init(code: code, reason: "\(what): the broker answered with an error")
                return
            }
            switch unsafe method.id {
            case warren_method_channel_close:
                let close = unsafe decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
                unsafe self.init(
                    replyCode: close.reply_code,
                    text: close.reply_text.text,
                    doing: what,
                    closesChannel: true
                )
            case warren_method_connection_close:
                let close = unsafe decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
                unsafe self.init(replyCode: close.reply_code, text: close.reply_text.text, doing: what)
            default:
                self.init(code: code, reason: "\(what): the broker answered with an unexpected method")
            }
        default:
            self.init(code: code, reason: "\(what): the broker closed the connection")
        }
    }
}
