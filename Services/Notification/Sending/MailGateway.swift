import Events
import HTTP
import Messaging
import ShopEvents
import Synchronization
import Telemetry

/// Hands mails to the SMTP server.
final class MailGateway: Sendable {
    private let client: SMTPClient
    private let desk: MailDesk
    private let limit: Mutex<RecipientLimit>
    private let from: EmailAddress
    private let fromName: String

    /// - Parameters:
    ///   - desk: where mails wait for their connection.
    ///   - limit: how many mails an address gets.
    ///   - fromName: what stands before the sender's address; empty for the address alone.
    init(
        client: SMTPClient,
        desk: MailDesk,
        limit: RecipientLimit,
        from: EmailAddress,
        fromName: String = ""
    ) {
        self.client = client
        self.desk = desk
        self.limit = Mutex(limit)
        self.from = from
        self.fromName = fromName
    }

    /// The Message-ID of the mail about an event.
    func messageID(of envelope: Envelope) -> String {
        MailHeaders.messageID(eventID: envelope.id, domain: from.domain)
    }

    /// Sends a mail about an event; returns when the server has taken it.
    ///
    /// At least once: when the server's last reply is lost, the mail is sent again under the same Message-ID. What waits because
    /// the address has had its mails of the hour, or because no connection is free, costs no attempt.
    ///
    /// - Parameter isRetry: whether the server was asked to take the mail before; others go before it then.
    /// - Throws: `HandlerError`: whether a retry can help is the server's word. Its message holds no address.
    func send(_ mail: MailText, to address: String, about envelope: Envelope, isRetry: Bool) async throws {
        let mail = try written(mail, to: address, about: envelope)
        let now = WallClock.milliseconds()
        if let until = limit.withLock({ $0.take(address, at: now) }) {
            throw HandlerError.deferred(
                // Not all of them in the same moment.
                until: until + Int64.random(in: 0...30_000),
                "mail.recipient-limit",
                "the recipient has had as many mails within an hour as MAIL_RECIPIENT_LIMIT allows"
            )
        }
        do {
            try await desk.hand(isRetry: isRetry) { try await client.send(mail) }
        } catch {
            limit.withLock { $0.giveBack(address, takenAt: now) }
            switch error {
            case let failure as SMTPFailure: throw MailGateway.error(for: failure)
            case is MailDesk.Busy:
                throw HandlerError.deferred(
                    until: WallClock.milliseconds() + Int64.random(in: 1_000...15_000),
                    "mail.busy",
                    "no connection to the mail server was free"
                )
            default: throw error
            }
        }
    }

    private func written(_ mail: MailText, to address: String, about envelope: Envelope) throws -> Mail {
        guard EmailAddress.isValid(address) else {
            throw HandlerError.permanent("mail.invalid-address", "the customer's address is not an e-mail address")
        }
        guard let date = MailHeaders.date(eventTime: envelope.time ?? Timestamp.now().description) else {
            throw HandlerError.permanent("mail.invalid-time", "the event's time is not RFC 3339")
        }
        do {
            return try Mail(
                messageID: messageID(of: envelope),
                from: fromName.isEmpty ? from.text : "\(fromName) <\(from.text)>",
                to: address,
                subject: mail.subject,
                text: mail.text,
                page: mail.page,
                language: mail.language,
                date: date
            )
        } catch let failure as SMTPFailure {
            throw MailGateway.error(for: failure)
        }
    }

    /// What a failure means for the delivery.
    ///
    /// A mail that the server refuses for good (5xx) or that is none is final; a reply of 4xx, a refused login and no
    /// reply at all are not.
    static func error(for failure: SMTPFailure) -> HandlerError {
        let reason = withoutAddresses(failure.reason)
        return switch (failure.isPermanent, failure.replyCode) {
        case (true, .some): .permanent("mail.refused", reason)
        case (true, nil): .permanent("mail.invalid", reason)
        case (false, .some): .transient("mail.deferred", reason)
        case (false, nil): .transient("mail.unreachable", reason)
        }
    }

    /// Servers like to repeat the recipient in their replies; errors go to logs and lists, where it does not belong.
    static func withoutAddresses(_ text: String) -> String {
        text.split(separator: " ", omittingEmptySubsequences: false)
            .map { $0.contains("@") ? "(address)" : String($0) }
            .joined(separator: " ")
    }
}
