import Events
import HTTP
import Messaging
import ShopEvents
import Telemetry

/// Hands mails to the SMTP server.
struct MailGateway: Sendable {
    private let client: SMTPClient
    private let from: EmailAddress

    init(client: SMTPClient, from: EmailAddress) {
        self.client = client
        self.from = from
    }

    /// The Message-ID of the mail about an event.
    func messageID(of envelope: Envelope) -> String {
        MailHeaders.messageID(eventID: envelope.id, domain: from.domain)
    }

    /// Sends a mail about an event; returns when the server has taken it.
    ///
    /// At least once: when the server's last reply is lost, the mail is sent again under the same Message-ID.
    ///
    /// - Throws: `HandlerError`: whether a retry can help is the server's word. Its message holds no address.
    func send(_ mail: MailText, about envelope: Envelope) async throws {
        guard EmailAddress(mail.customer.email) != nil else {
            throw HandlerError.permanent("mail.invalid-address", "the customer's address is not an e-mail address")
        }
        guard let date = MailHeaders.date(eventTime: envelope.time ?? Timestamp.now().description) else {
            throw HandlerError.permanent("mail.invalid-time", "the event's time is not RFC 3339")
        }
        do {
            try await client.send(
                Mail(
                    messageID: messageID(of: envelope),
                    from: from.text,
                    to: mail.customer.email,
                    subject: mail.subject,
                    text: mail.text,
                    date: date
                )
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
