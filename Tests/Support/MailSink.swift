import Foundation
import JSON

/// A mail server that keeps what it gets; `deploy/lib/mail-sink` as a test's own.
public final class MailSink: Sendable {
    /// A mail that came.
    public struct Mail: Sendable {
        /// The sink's own name for it.
        public let id: String
        /// The first recipient.
        public let to: String
        /// The subject line.
        public let subject: String
        /// The Message-ID, without angle brackets.
        public let messageID: String
        /// The first words.
        public let snippet: String
    }

    /// Where mail is sent, `smtp://127.0.0.1:…`.
    public let url: String
    private let child: ChildProcess
    private let probe: HTTPProbe

    /// Starts one, with its output in that folder.
    public init(folder: TemporaryFolder) async throws {
        let (smtp, http) = (try FreePort.next(), try FreePort.next())
        url = "smtp://127.0.0.1:\(smtp)"
        let child = try ChildProcess(
            try TestEnvironment.mailSink,
            arguments: ["--smtp", "127.0.0.1:\(smtp)", "--http", "127.0.0.1:\(http)"],
            folder: folder.url
        )
        let probe = HTTPProbe(port: http)
        self.child = child
        self.probe = probe
        try await eventually("the mail sink serves", until: { try await probe.get("/readyz").status == 200 })
    }

    /// The mails so far, oldest first.
    public func mails() async throws -> [Mail] {
        try await probe.get("/api/v1/messages").json["messages"].elements.reversed().map { mail in
            Mail(
                id: mail["ID"].text ?? "",
                to: mail["To"][0]["Address"].text ?? "",
                subject: mail["Subject"].text ?? "",
                messageID: mail["MessageID"].text ?? "",
                snippet: mail["Snippet"].text ?? ""
            )
        }
    }

    /// The text of a mail, decoded.
    public func text(of mail: Mail) async throws -> String {
        try await probe.get("/api/v1/message/\(mail.id)").json["Text"].text ?? ""
    }

    /// A mail as it came, headers and all.
    public func source(of mail: Mail) async throws -> String {
        try await probe.get("/api/v1/message/\(mail.id)/raw").text
    }

    /// From now on refuses every recipient with that reply code; nil: takes all mail again.
    public func refuse(with code: Int?) async throws {
        try await behave(refusing: code)
    }

    /// From now on behaves so; what is left out it does no more.
    ///
    /// - Parameters:
    ///   - code: refuses every recipient with that reply code.
    ///   - greylist: for so many seconds asks whoever sends to a recipient for the first time to come again (451).
    ///   - connections: takes so many at once, and refuses further ones (421).
    public func behave(refusing code: Int? = nil, greylist: Int? = nil, connections: Int? = nil) async throws {
        var wanted: JSONValue = [:]
        if let code { wanted["Recipient"] = ["ErrorCode": .integer(Int64(code)), "Probability": 100] }
        if let greylist { wanted["Greylist"] = ["Seconds": .integer(Int64(greylist))] }
        if let connections { wanted["Connections"] = ["Most": .integer(Int64(connections))] }
        let reply = try await probe.send("PUT", "/api/v1/chaos", body: wanted.bytes)
        guard reply.status == 200 else { throw TimedOut("the mail sink answered \(reply.status): \(reply.text)") }
    }

    /// How many connections it has taken and refused, and had at most at once.
    public func connections() async throws -> (taken: Int, refused: Int, peak: Int) {
        let counts = try await probe.get("/api/v1/connections").json
        return (
            Int(counts["taken"].integer ?? -1), Int(counts["refused"].integer ?? -1), Int(counts["peak"].integer ?? -1)
        )
    }

    /// Stops it.
    public func stop() async throws {
        try await child.terminate()
    }
}
