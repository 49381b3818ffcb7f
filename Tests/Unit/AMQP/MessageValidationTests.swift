import Testing

@testable import AMQP

@Suite("A message that would break the connection is refused before its first byte")
struct MessageValidationTests {
    private func publication(_ change: (inout Publication) -> Void = { _ in }) -> Publication {
        var publication = Publication(exchange: "e", routingKey: "k", message: Message(body: [1]))
        change(&publication)
        return publication
    }

    private static let fields: [(String, any WritableKeyPath<Publication, String?> & Sendable)] = [
        ("content-type", \.message.properties.contentType), ("content-encoding", \.message.properties.contentEncoding),
        ("correlation-id", \.message.properties.correlationID), ("reply-to", \.message.properties.replyTo),
        ("message-id", \.message.properties.messageID), ("type", \.message.properties.type),
        ("user-id", \.message.properties.userID), ("app-id", \.message.properties.appID),
        ("cluster-id", \.message.properties.clusterID),
    ]

    @Test("Short strings hold 255 bytes, counted in UTF-8", arguments: fields.indices)
    func shortStrings(index: Int) throws {
        let (name, field) = Self.fields[index]
        try publication { $0[keyPath: field] = String(repeating: "x", count: 255) }.validate()
        for text in [String(repeating: "x", count: 256), String(repeating: "ü", count: 128)] {
            let error = #expect(throws: AMQPError.self) { try publication { $0[keyPath: field] = text }.validate() }
            #expect(error?.code == .invalidMessage)
            #expect(error?.reason.contains(name) == true)
        }
    }

    @Test("Exchange and routing key are short strings, too")
    func addresses() {
        let long = String(repeating: "x", count: 256)
        #expect(throws: AMQPError.self) { try publication { $0.exchange = long }.validate() }
        #expect(throws: AMQPError.self) { try publication { $0.routingKey = long }.validate() }
    }

    @Test("Headers must fit one frame, and their names 255 bytes")
    func headers() throws {
        try publication { $0.message.properties.headers = ["h": .string(String(repeating: "x", count: 130_000))] }
            .validate()
        for headers: FieldTable in [
            ["h": .string(String(repeating: "x", count: 132_000))], [String(repeating: "n", count: 256): .void],
            ["t": .table([String(repeating: "n", count: 256): .void])],
        ] {
            let error = #expect(throws: AMQPError.self) {
                try publication { $0.message.properties.headers = headers }.validate()
            }
            #expect(error?.code == .invalidMessage)
        }
    }

    @Test("An expiration is a number of milliseconds", arguments: ["", "-1", "1.5", "x", "99999999999"])
    func expiration(text: String) throws {
        try publication { $0.message.properties.expiration = "60000" }.validate()
        #expect(throws: AMQPError.self) { try publication { $0.message.properties.expiration = text }.validate() }
    }

    @Test("The delivery mode is 1 or 2", arguments: [0, 3] as [UInt8])
    func deliveryMode(mode: UInt8) {
        #expect(throws: AMQPError.self) { try publication { $0.message.properties.deliveryMode = mode }.validate() }
    }

    @Test("Only an error after the first byte says that the message may have arrived")
    func mayHaveArrived() {
        let codes: [AMQPError.Code] = [
            .connectionLost, .timeout, .cancelled, .closed, .nacked, .returned, .invalidMessage,
        ]
        #expect(
            codes.map { AMQPError(code: $0, reason: "").mayHaveArrived } == [
                true, true, true, false, false, false, false,
            ]
        )
    }
}
