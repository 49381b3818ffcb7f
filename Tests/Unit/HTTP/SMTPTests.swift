import Foundation
import Synchronization
import Testing

@testable import HTTP

/// A small SMTP server: answers each command as it is told, and keeps what it is sent.
final class FakeSMTPServer: Sendable {
    /// What it does instead of what is usual.
    struct Behaviour: Sendable {
        var greeting = "220 fake ESMTP"
        var extensions = ["SIZE 1000000"]
        /// Command to reply.
        var replies: [String: String] = [:]
        var finalReply = "250 2.0.0 taken"
        var dropsAfterFinalDot = false
    }

    /// A mail as it was on the wire, dots undoubled.
    struct Taken: Sendable, Equatable {
        var from: String
        var to: String
        var data: String
    }

    private let behaviour: Behaviour
    private let kept = Mutex<[Taken]>([])
    private let said = Mutex<[String]>([])

    var mails: [Taken] { kept.withLock { $0 } }
    var commands: [String] { said.withLock { $0 } }

    init(_ behaviour: Behaviour = Behaviour()) { self.behaviour = behaviour }

    func play(_ socket: RawSocket) async throws {
        var buffer: [UInt8] = []
        func line() async throws -> String? {
            while true {
                if let end = buffer.firstIndex(of: 0x0A) {
                    let line = buffer[..<end]
                    buffer.removeSubrange(...end)
                    // Bare line feeds are not line ends in SMTP.
                    guard line.last == 0x0D else { throw SocketError(text: "a bare line feed") }
                    return String(decoding: line.dropLast(), as: UTF8.self)
                }
                let more = try await socket.receive()
                if more.isEmpty { return nil }
                buffer += more
            }
        }
        var mail = Taken(from: "", to: "", data: "")
        try await socket.send(behaviour.greeting + "\r\n")
        while let command = try await line() {
            said.withLock { $0.append(command) }
            let verb = String(command.prefix { $0 != " " && $0 != ":" }).uppercased()
            if let reply = behaviour.replies[verb] {
                try await socket.send(reply + "\r\n")
                continue
            }
            switch verb {
            case "EHLO":
                let lines = ["fake"] + behaviour.extensions
                for (index, text) in lines.enumerated() {
                    try await socket.send("250\(index == lines.count - 1 ? " " : "-")\(text)\r\n")
                }
            case "MAIL":
                mail = Taken(from: command, to: "", data: "")
                try await socket.send("250 ok\r\n")
            case "RCPT":
                mail.to = command
                try await socket.send("250 ok\r\n")
            case "DATA":
                try await socket.send("354 go on\r\n")
                while let text = try await line(), text != "." {
                    mail.data += (text.hasPrefix(".") ? String(text.dropFirst()) : text) + "\r\n"
                }
                kept.withLock { $0.append(mail) }
                if behaviour.dropsAfterFinalDot { return }
                try await socket.send(behaviour.finalReply + "\r\n")
            case "QUIT":
                try await socket.send("221 bye\r\n")
                return
            default:
                try await socket.send("250 ok\r\n")
            }
        }
    }
}

extension SMTPClient {
    /// One that waits for the greeting of a server that is played by a test on a busy machine.
    static func patient(_ url: String) throws -> SMTPClient {
        try SMTPClient(url: url, connectTimeout: .seconds(120))
    }
}

func withSMTPServer<Value: Sendable>(
    _ behaviour: FakeSMTPServer.Behaviour = .init(),
    _ body: (FakeSMTPServer, String) async throws -> Value
) async throws -> Value {
    let server = FakeSMTPServer(behaviour)
    return try await withPeer { socket, _ in
        try await server.play(socket)
    } _: { peer in
        try await body(server, "smtp://127.0.0.1:\(peer.port)")
    }
}

@Suite("Mails arrive as they were written, or a failure says whether to try again", .timeLimit(.minutes(5)))
struct SMTPTests {
    static func mail(
        id: String = "0198@warren.example",
        from: String = "shop@warren.example",
        to: String = "customer@example.com",
        subject: String = "Your order",
        text: String = "Thank you.\n",
        date: String = "Thu, 01 Jan 2026 00:00:00 +0000"
    ) throws -> Mail {
        try Mail(messageID: id, from: from, to: to, subject: subject, text: text, date: date)
    }

    static func failure(_ behaviour: FakeSMTPServer.Behaviour) async throws -> SMTPFailure {
        try await withSMTPServer(behaviour) { _, url in
            let client = try SMTPClient.patient(url)
            return try await #require(throws: SMTPFailure.self) { try await client.send(try Self.mail()) }
        }
    }

    @Test("A mail is taken, with its headers")
    func taken() async throws {
        try await withSMTPServer { server, url in
            try await SMTPClient.patient(url).send(Self.mail(from: "Warren's Shop <shop@warren.example>"))
            let mail = try #require(server.mails.first)
            #expect(mail.from.hasPrefix("MAIL FROM:<shop@warren.example>"))
            #expect(mail.to == "RCPT TO:<customer@example.com>")
            #expect(
                mail.data == """
                    Date: Thu, 01 Jan 2026 00:00:00 +0000\r
                    From: Warren's Shop <shop@warren.example>\r
                    To: customer@example.com\r
                    Message-ID: <0198@warren.example>\r
                    Subject: Your order\r
                    MIME-Version: 1.0\r
                    Content-Type: text/plain; charset=utf-8\r
                    Content-Transfer-Encoding: quoted-printable\r
                    Auto-Submitted: auto-generated\r
                    \r
                    Thank you.\r

                    """
            )
        }
    }

    @Test("A mail with a page has its text first and the page behind it, in one envelope")
    func alternative() async throws {
        try await withSMTPServer { server, url in
            let mail = try Mail(
                messageID: "0198@warren.example",
                from: "상점 <shop@warren.example>",
                to: "customer@example.com",
                subject: "Your order",
                text: "--=_alternative\n.\n",
                page: "<p class=\"x\">안녕</p>\n",
                language: "ko",
                date: "Thu, 01 Jan 2026 00:00:00 +0000"
            )
            try await SMTPClient.patient(url).send(mail)
            let data = try #require(server.mails.first?.data)
            #expect(data.contains("\r\nFrom: =?utf-8?B?7IOB7KCQ?= <shop@warren.example>\r\n"))
            #expect(
                data[try #require(data.range(of: "MIME-Version")).lowerBound...] == """
                    MIME-Version: 1.0\r
                    Content-Type: multipart/alternative; boundary="=_alternative"\r
                    Content-Language: ko\r
                    Auto-Submitted: auto-generated\r
                    \r
                    --=_alternative\r
                    Content-Type: text/plain; charset=utf-8\r
                    Content-Transfer-Encoding: quoted-printable\r
                    \r
                    --=3D_alternative\r
                    .\r
                    \r
                    --=_alternative\r
                    Content-Type: text/html; charset=utf-8\r
                    Content-Transfer-Encoding: quoted-printable\r
                    \r
                    <p class=3D"x">=EC=95=88=EB=85=95</p>\r
                    \r
                    --=_alternative--\r

                    """
            )
            #expect(throws: SMTPFailure.self) {
                try Mail(
                    messageID: "0198@warren.example",
                    from: "shop@warren.example",
                    to: "customer@example.com",
                    subject: "x",
                    text: "",
                    language: "ko\r\nBcc: x",
                    date: "x"
                )
            }
        }
    }

    @Test(
        "A body arrives as it was written, dots at the start of lines included",
        arguments: [
            ".", "..", ".\n", ".\r\n.\r\n..\r\n", "a\n.\nb\n", ".hidden\n\n.\n", "no end of line", "a\rb\r\nc\nd", "",
            "\n\n",
            "trailing space \nand tab\t\n", "größer als 5 € 😀\n", "a=b\n", String(repeating: "long ", count: 500),
            String(repeating: "é", count: 500), "\u{0}\u{7F}", String(repeating: ".\n", count: 20_000),
        ]
    )
    func bodies(text: String) async throws {
        try await withSMTPServer { server, url in
            try await SMTPClient.patient(url).send(Self.mail(text: text))
            let data = try #require(server.mails.first?.data)
            let body = data[try #require(data.range(of: "\r\n\r\n")).upperBound...]
            var expected = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n").replacing("\n", with: "\r\n")
            if !expected.isEmpty, !expected.hasSuffix("\r\n") { expected += "\r\n" }
            #expect(Self.decodeQuotedPrintable(String(body)) == expected)
            // White space at the ends of lines gets lost on the way.
            #expect(!body.split(separator: "\r\n").contains { $0.hasSuffix(" ") || $0.hasSuffix("\t") })
            #expect(data.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 76 || $0.hasPrefix("Content") })
        }
    }

    /// Written from RFC 2045 alone, so that it can disagree with the encoder.
    static func decodeQuotedPrintable(_ text: String) -> String? {
        var result: [UInt8] = []
        var bytes = ArraySlice(text.utf8)
        while let byte = bytes.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                result.append(byte)
                continue
            }
            let next = Array(bytes.prefix(2))
            bytes = bytes.dropFirst(2)
            if next == [0x0D, 0x0A] { continue }
            guard let value = UInt8(String(decoding: next, as: UTF8.self), radix: 16) else { return nil }
            result.append(value)
        }
        return String(validating: result, as: UTF8.self)
    }

    @Test("Mails go over one connection, many at once over several")
    func many() async throws {
        try await withSMTPServer { server, url in
            let client = try SMTPClient.patient(url)
            for number in 0..<5 { try await client.send(Self.mail(id: "\(number)@warren.example")) }
            #expect(server.commands.count { $0.hasPrefix("EHLO") } == 1)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 5..<50 {
                    group.addTask { try await client.send(Self.mail(id: "\(number)@warren.example")) }
                }
                try await group.waitForAll()
            }
            #expect(server.mails.count == 50)
        }
    }

    @Test(
        "A subject that is not ASCII, or fits into no line, arrives as encoded words on lines of 76 characters at most",
        arguments: [
            "Größe", "=?utf-8?B?x?=", String(repeating: "long ", count: 200), String(repeating: "😀", count: 60),
            "日本語の件名", String(repeating: "é", count: 21), String(repeating: "aé", count: 300),
        ]
    )
    func subjects(subject: String) async throws {
        try await withSMTPServer { server, url in
            try await SMTPClient.patient(url).send(Self.mail(subject: subject))
            let data = try #require(server.mails.first?.data)
            let lines = data.components(separatedBy: "\r\n")
            let first = try #require(lines.firstIndex { $0.hasPrefix("Subject: ") })
            let words =
                [String(lines[first].dropFirst(9))]
                + lines[(first + 1)...].prefix { $0.hasPrefix(" ") }.map { String($0.dropFirst()) }
            for line in lines[first...].prefix(words.count) { #expect(line.utf8.count <= 76) }
            var decoded: [UInt8] = []
            for word in words {
                #expect(word.utf8.count <= 75)
                #expect(word.hasPrefix("=?utf-8?B?") && word.hasSuffix("?="))
                let part = try #require(Data(base64Encoded: String(word.dropFirst(10).dropLast(2))))
                // Each word holds whole characters.
                #expect(String(validating: part, as: UTF8.self) != nil)
                decoded += part
            }
            #expect(String(decoding: decoded, as: UTF8.self) == subject)
        }
    }

    @Test("A subject in ASCII is left as it is, up to what a line may have", arguments: [1, 60, 61, 200, 989])
    func plainSubjects(length: Int) async throws {
        let subject = String((0..<length).map { $0 % 7 == 6 && $0 < length - 1 ? " " : "a" })
        try await withSMTPServer { server, url in
            try await SMTPClient.patient(url).send(Self.mail(subject: subject))
            #expect(server.mails.first?.data.contains("\r\nSubject: \(subject)\r\n") == true)
        }
    }

    @Test("A name that is encoded keeps its lines within 76 characters, the address included", arguments: 1...60)
    func longNames(length: Int) throws {
        let mail = try Self.mail(from: String(repeating: "é", count: length) + " <shop@warren.example>")
        let head = String(decoding: mail.message, as: UTF8.self).components(separatedBy: "\r\n\r\n")[0]
        #expect(head.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 76 })
        let unfolded = head.replacing("\r\n ", with: " ")
        #expect(unfolded.components(separatedBy: "\r\n").count == 9)
        #expect(unfolded.contains("?= <shop@warren.example>\r\n"))
    }

    @Test("The name before an address is encoded when it is not plain")
    func names() async throws {
        try await withSMTPServer { server, url in
            try await SMTPClient.patient(url).send(Self.mail(from: "\"Größe, Inc.\" <shop@warren.example>"))
            let name = Data("Größe, Inc.".utf8).base64EncodedString()
            #expect(server.mails.first?.data.contains("From: =?utf-8?B?\(name)?= <shop@warren.example>\r\n") == true)
        }
    }

    @Test("4xx is transient, 5xx permanent, at every step", arguments: ["MAIL", "RCPT", "DATA"])
    func refusedSteps(step: String) async throws {
        var behaviour = FakeSMTPServer.Behaviour()
        behaviour.replies[step] = "451 4.3.0 later"
        let later = try await Self.failure(behaviour)
        #expect(later.replyCode == 451)
        #expect(!later.isPermanent)
        behaviour.replies[step] = "550 5.1.1 no such user"
        let never = try await Self.failure(behaviour)
        #expect(never.replyCode == 550)
        #expect(never.isPermanent)
    }

    @Test("The server's own words are in the failure, all lines of them", arguments: ["MAIL", "RCPT", "DATA", "."])
    func words(step: String) async throws {
        var behaviour = FakeSMTPServer.Behaviour()
        let reply = "550-5.7.1 this sender is on a list,\r\n550 5.7.1 see https://list.example/why"
        if step == "." { behaviour.finalReply = reply } else { behaviour.replies[step] = reply }
        let failure = try await Self.failure(behaviour)
        #expect(
            failure.reason.hasSuffix(
                "the server said: 550 5.7.1 this sender is on a list, 5.7.1 see https://list.example/why"
            ),
            "\(failure.reason)"
        )
    }

    @Test("What a server says is bounded, one line, and of the reply that refused alone")
    func boundedWords() {
        var replies = SMTPReplies()
        replies.take("250 ok\r\n")
        replies.take("451 earlier\r\n")
        for number in 0..<1000 { replies.take("550-\(number)\u{1B}[2J" + String(repeating: "a", count: 1000) + "\r\n") }
        replies.take("550 end\r\n")
        replies.take("221 bye\r\n")
        let words = replies.words(of: 550) ?? ""
        #expect(words.hasPrefix("0[2Ja") && !words.contains("earlier"))
        #expect(words.utf8.count < 10_000)
        #expect(words.utf8.allSatisfy { $0 >= 0x20 })
        #expect(replies.words(of: 451) == nil)
    }

    @Test("The client says the name that it is given")
    func helloName() async throws {
        try await withSMTPServer { server, url in
            for name in ["shop.warren.example", "[192.0.2.1]", "[IPv6:2001:db8::1]"] {
                let client = try SMTPClient(url: url, helloName: name, connectTimeout: .seconds(120))
                try await client.send(Self.mail())
                #expect(server.commands.contains("EHLO \(name)"))
            }
        }
        for name in ["", "a b", "a\r\nMAIL", "a/b", "[", "a:25"] {
            #expect(throws: SMTPFailure.self) { try SMTPClient(url: "smtp://host", helloName: name) }
        }
    }

    @Test("So it is with the reply to the final dot and with the greeting")
    func refusedAtTheEnds() async throws {
        var behaviour = FakeSMTPServer.Behaviour()
        behaviour.finalReply = "452 4.2.2 mailbox full"
        #expect(try await Self.failure(behaviour).replyCode == 452)
        behaviour.finalReply = "554 5.6.0 not wanted"
        let never = try await Self.failure(behaviour)
        #expect(never.replyCode == 554)
        #expect(never.isPermanent)
        // What is said before the mail is not about it.
        behaviour.replies = ["EHLO": "550 not to you", "HELO": "550 not to you"]
        #expect(try await Self.failure(behaviour).isPermanent == false)
        behaviour.greeting = "554 no service here"
        let closed = try await Self.failure(behaviour)
        #expect(closed.replyCode == 554)
        #expect(!closed.isPermanent)
        behaviour.greeting = "421 too busy"
        let busy = try await Self.failure(behaviour)
        #expect(busy.replyCode == 421)
        #expect(!busy.isPermanent)
    }

    @Test("A connection that drops after the final dot is transient: no reply came")
    func dropped() async throws {
        var behaviour = FakeSMTPServer.Behaviour()
        behaviour.dropsAfterFinalDot = true
        let failure = try await Self.failure(behaviour)
        #expect(failure.replyCode == nil)
        #expect(!failure.isPermanent)
    }

    @Test("A server that is away is transient")
    func away() async throws {
        let client = try SMTPClient(url: "smtp://127.0.0.1:1")
        let failure = try await #require(throws: SMTPFailure.self) { try await client.send(Self.mail()) }
        #expect(failure.replyCode == nil)
        #expect(!failure.isPermanent)
    }

    @Test("A server that falls silent is given up after the timeout, and cancelling is quicker")
    func silent() async throws {
        try await withPeer { socket, _ in
            _ = try await socket.receiveAll()
        } _: { peer in
            let client = try SMTPClient(url: "smtp://127.0.0.1:\(peer.port)", timeout: .milliseconds(300))
            let failure = try await #require(throws: SMTPFailure.self) { try await client.send(Self.mail()) }
            #expect(!failure.isPermanent)
            let patient = try SMTPClient(url: "smtp://127.0.0.1:\(peer.port)")
            let sending = Task { try await patient.send(Self.mail()) }
            sending.cancel()
            await #expect(throws: SMTPFailure.self) { try await within { try await sending.value } }
        }
    }

    @Test(
        "The timeout of connecting covers what comes before a mail: the greeting and the reply to EHLO",
        arguments: [nil, "220 hello\r\n"]
    )
    func neverGreeting(greeting: String?) async throws {
        let said = Mutex("")
        try await withPeer { socket, _ in
            if let greeting { try await socket.send(greeting) }
            let text = try await socket.receiveAll()
            said.withLock { $0 += text }
        } _: { peer in
            // The mail itself would have ten minutes.
            let client = try SMTPClient(url: "smtp://127.0.0.1:\(peer.port)", connectTimeout: .seconds(1))
            let failure = try await #require(throws: SMTPFailure.self) {
                try await within { try await client.send(Self.mail()) }
            }
            #expect(!failure.isPermanent)
            #expect(failure.replyCode == nil)
        }
        #expect(!said.withLock { $0.contains("MAIL FROM") })
    }

    @Test(
        "Control characters and line separators are refused in every header and address",
        arguments: ["\r\n", "\n", "\r", "\0", "\t", "\u{7F}", "\u{85}", "\u{2028}", "\u{2029}"]
    )
    func injection(separator: String) {
        let evil = "x\(separator)Bcc: victim@example.com"
        #expect(throws: SMTPFailure.self) { try Self.mail(subject: evil) }
        #expect(throws: SMTPFailure.self) { try Self.mail(id: evil) }
        #expect(throws: SMTPFailure.self) { try Self.mail(date: evil) }
        for address in ["a@b.example\(separator)", "a@b.example\(separator)DATA", "\(separator)Name <a@b.example>"] {
            #expect(throws: SMTPFailure.self) { try Self.mail(from: address) }
            #expect(throws: SMTPFailure.self) { try Self.mail(to: address) }
        }
        do {
            _ = try Self.mail(subject: evil)
        } catch {
            #expect((error as? SMTPFailure)?.isPermanent == true)
        }
    }

    @Test(
        "What is no address is refused",
        arguments: [
            "", "a", "@b", "a@", "a@b@c", "a b@c", "<a@b", "a@b>", "a@b,c@d", "ä@b.example", "a@b> <c@d", "a@b SIZE=1",
        ]
    )
    func badAddresses(address: String) {
        #expect(throws: SMTPFailure.self) { try Self.mail(to: address) }
        #expect(throws: SMTPFailure.self) { try Self.mail(id: address) }
    }

    @Test("STARTTLS is used where it is offered, unless it never is to be", arguments: SMTPClient.StartTLS.allCases)
    func offeredStartTLS(when: SMTPClient.StartTLS) async throws {
        var offering = FakeSMTPServer.Behaviour()
        offering.extensions = ["STARTTLS"]
        offering.replies["STARTTLS"] = "220 go on"
        try await withSMTPServer(offering) { server, url in
            let client = try SMTPClient(
                url: url,
                startTLS: when,
                timeout: .seconds(60),
                connectTimeout: .seconds(60)
            )
            // This server speaks no TLS after its leave.
            if when == .never {
                try await client.send(Self.mail())
            } else {
                await #expect(throws: SMTPFailure.self) { try await client.send(Self.mail()) }
            }
            #expect(server.commands.contains("STARTTLS") == (when != .never))
            #expect(server.mails.isEmpty == (when != .never))
        }
    }

    @Test(
        "Credentials are shown to another machine after STARTTLS alone",
        arguments: [
            ("smtp://u:p@mail.example", SMTPClient.StartTLS.auto, SMTPClient.StartTLS.required),
            ("smtp://u:p@192.0.2.1:25", .auto, .required), ("smtp://u@127.example", .auto, .required),
            ("smtp://u:p@mail.example?starttls=auto", .never, .required),
            ("smtp://u:p@mail.example", .never, .never), ("smtp://mail.example", .auto, .auto),
            ("smtp://mail.example", .required, .required), ("smtp://mail.example?starttls=required", .auto, .required),
            ("smtp://u:p@127.0.0.1:1025", .auto, .auto), ("smtp://u:p@[::1]", .auto, .auto),
            ("smtp://u:p@LOCALHOST", .auto, .auto), ("smtps://u:p@mail.example", .auto, nil),
        ] as [(String, SMTPClient.StartTLS, SMTPClient.StartTLS?)]
    )
    func demandedStartTLS(url: String, given: SMTPClient.StartTLS, used: SMTPClient.StartTLS?) throws {
        #expect(try SMTPServer(url, startTLS: given).startTLS == used)
    }

    @Test("STARTTLS that is required and not offered fails before the mail is shown")
    func startTLS() async throws {
        try await withSMTPServer { server, url in
            let client = try SMTPClient.patient(url + "?starttls=required")
            let failure = try await #require(throws: SMTPFailure.self) { try await client.send(Self.mail()) }
            #expect(!failure.isPermanent)
            #expect(!server.commands.contains { $0.hasPrefix("MAIL") })
        }
    }

    @Test("Credentials are used and never shown; a refused login is not the mail's fault")
    func credentials() async throws {
        var behaviour = FakeSMTPServer.Behaviour()
        behaviour.extensions = ["AUTH PLAIN"]
        behaviour.replies["AUTH"] = "535 5.7.8 wrong"
        try await withSMTPServer(behaviour) { server, url in
            let authorized = url.replacing("smtp://", with: "smtp://us%40er:secr%2Fet@")
            let client = try SMTPClient.patient(authorized)
            let failure = try await #require(throws: SMTPFailure.self) { try await client.send(Self.mail()) }
            #expect(!failure.isPermanent)
            #expect(!"\(failure) \(client)".contains("secr"))
            #expect(server.commands.contains { $0.hasPrefix("AUTH PLAIN") })
        }
        let wrong = #expect(throws: SMTPFailure.self) { try SMTPClient(url: "smtp://user:secret@host/path/x") }
        #expect(wrong.map { "\($0)".contains("secret") } == false)
    }

    @Test(
        "What is no SMTP server's URL is refused",
        arguments: [
            "", "host", "http://host", "smtp://", "smtp://:25", "smtp://user@", "smtp://host/path",
            "smtp://host?starttls=maybe",
            "smtp://host?x", "smtps://host?starttls=required", "smtp://ho st", "smtp://%zz@host",
        ]
    )
    func badURLs(url: String) {
        #expect(throws: SMTPFailure.self) { try SMTPClient(url: url) }
    }
}
