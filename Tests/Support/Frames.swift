/// Frames of AMQP 0-9-1 as a broker would send them, right or wrong.
public enum Frames {
    /// A frame of any type: what it holds, between its head and its end.
    public static func frame(_ type: UInt8, _ channel: UInt16, _ payload: [UInt8]) -> [UInt8] {
        [type] + big(channel) + big(UInt32(payload.count)) + payload + [0xCE]
    }

    /// A method.
    public static func method(_ channel: UInt16, _ classID: UInt16, _ methodID: UInt16, _ arguments: [UInt8]) -> [UInt8]
    {
        frame(1, channel, big(classID) + big(methodID) + arguments)
    }

    /// A content header, with properties as they are on the wire: flags, then values.
    public static func header(_ channel: UInt16, bodySize: UInt64, properties: [UInt8] = [0, 0]) -> [UInt8] {
        frame(2, channel, big(UInt16(60)) + big(UInt16(0)) + big(bodySize) + properties)
    }

    /// A piece of a body.
    public static func body(_ channel: UInt16, _ piece: [UInt8]) -> [UInt8] { frame(3, channel, piece) }

    /// A heartbeat.
    public static let heartbeat = frame(8, 0, [])

    /// A text of at most 255 bytes.
    public static func shortString(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }

    /// A text of any length.
    public static func longString(_ text: String) -> [UInt8] { big(UInt32(text.utf8.count)) + Array(text.utf8) }

    /// A number in network order.
    public static func big<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    /// The method `connection.unblocked`.
    public static let unblocked = method(0, 10, 61, [])
    /// The method `connection.blocked`.
    public static func blocked(_ reason: String) -> [UInt8] { method(0, 10, 60, shortString(reason)) }
    /// The method `connection.close`.
    public static func connectionClose(_ code: UInt16, _ text: String) -> [UInt8] {
        method(0, 10, 50, big(code) + shortString(text) + [0, 0, 0, 0])
    }
    /// The method `channel.close`.
    public static func channelClose(_ code: UInt16, _ text: String) -> [UInt8] {
        method(1, 20, 40, big(code) + shortString(text) + [0, 0, 0, 0])
    }
    /// The method `basic.cancel`.
    public static func consumerCancel(_ tag: String) -> [UInt8] { method(1, 60, 30, shortString(tag) + [1]) }

    /// `basic.deliver`, without the header and body that follow it.
    public static func deliver(tag: UInt64, queue: String) -> [UInt8] {
        method(1, 60, 60, shortString("warren") + big(tag) + [0] + shortString("") + shortString(queue))
    }

    /// `basic.return`, without the header and body that follow it.
    public static func returned(exchange: String, routingKey: String) -> [UInt8] {
        method(1, 60, 50, big(UInt16(312)) + shortString("NO_ROUTE") + shortString(exchange) + shortString(routingKey))
    }

    /// A delivery without a body, with these encoded headers.
    public static func delivery(tag: UInt64, queue: String, headers: [UInt8]) -> [UInt8] {
        deliver(tag: tag, queue: queue) + header(1, bodySize: 0, properties: big(UInt16(1 << 13)) + headers)
    }

    /// An encoded table of tables (`F`) or arrays (`A`), as deep as fits a frame.
    public static func nestedTable(_ kind: String, frameSize: Int) -> [UInt8] {
        let type = Array(kind.utf8)
        // A level is its type and its length, and in a table an empty name before them.
        let name: [UInt8] = kind == "F" ? [0] : []
        let level = name.count + 5
        let depth = (frameSize - 100) / level
        var bytes: [UInt8] = []
        for inner in stride(from: (depth - 1) * level, through: 0, by: -level) {
            bytes += name + type + big(UInt32(inner))
        }
        let head: [UInt8] = kind == "F" ? [] : [0]
        return big(UInt32(bytes.count + head.count)) + head + bytes
    }

    /// `basic.ack` of a published message.
    public static func ack(_ number: UInt64, multiple: Bool) -> [UInt8] {
        method(1, 60, 80, big(number) + [multiple ? 1 : 0])
    }

    /// `basic.nack` of a published message.
    public static func nack(_ number: UInt64, multiple: Bool) -> [UInt8] {
        method(1, 60, 120, big(number) + [multiple ? 1 : 0])
    }
}
