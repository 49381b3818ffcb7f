/// Writes the frames that the client sends once a channel is open.
struct FrameEncoder: ~Copyable {
    let channel: UInt16
    /// The largest frame that both sides agreed on, in bytes.
    let frameSize: Int
    /// Whose messages they are that do not say so themselves.
    let user: String?
    /// What is written and has not gone out.
    var writer = ByteWriter()

    init(channel: UInt16, frameSize: Int, user: String? = nil) {
        self.channel = channel
        self.frameSize = frameSize
        self.user = user
    }

    /// The most bytes of a body that one frame takes.
    var largestPiece: Int { frameSize - WireProtocol.frameOverhead }

    /// Writes `basic.publish` and the content header; the body's frames are to follow.
    ///
    /// - Parameter publication: valid (`Publication.validate`) but for the agreed size of a frame.
    /// - Throws: `AMQPError` with code `.invalidMessage` when the header does not fit a frame; nothing has been written.
    mutating func publish(_ publication: Publication) throws(AMQPError) {
        typealias Method = WireProtocol.Method
        let mark = writer.mark
        method(Method.basicPublish) { writer in
            writer.append(UInt16(0))
            writer.appendShort(publication.exchange)
            writer.appendShort(publication.routingKey)
            writer.append(publication.mandatory ? 1 as UInt8 : 0)
        }
        let header = writer.mark
        let user = user
        frame(WireProtocol.headerFrame) { writer in
            writer.append(WireProtocol.basicClass)
            writer.append(UInt16(0))
            writer.append(UInt64(publication.message.body.count))
            publication.message.properties.write(to: &writer, from: user)
        }
        let size = writer.mark - header
        guard size <= frameSize else {
            writer.removeLast(to: mark)
            throw AMQPError(
                code: .invalidMessage,
                reason: "the headers have \(size) bytes; they must fit one frame of \(frameSize)"
            )
        }
    }

    /// Writes frames of a body, from a place in it on, until so many bytes have been taken.
    ///
    /// - Returns: the place of the first byte that was not written.
    mutating func body(_ body: [UInt8], from start: Int, atMost limit: Int) -> Int {
        var place = start
        while place < body.count, place - start < limit {
            let end = min(body.count, place + largestPiece)
            frame(WireProtocol.bodyFrame) { writer in
                unsafe body.withUnsafeBytes { unsafe writer.append(UnsafeRawBufferPointer(rebasing: $0[place..<end])) }
            }
            place = end
        }
        return place
    }

    mutating func settle(_ settlement: AckCoalescer.Frame) {
        typealias Method = WireProtocol.Method
        switch settlement {
        case .ack(let tag, let multiple):
            method(Method.basicAck) { writer in
                writer.append(tag)
                writer.append(multiple ? 1 as UInt8 : 0)
            }
        case .reject(let tag, let requeue):
            method(Method.basicReject) { writer in
                writer.append(tag)
                writer.append(requeue ? 1 as UInt8 : 0)
            }
        }
    }

    mutating func qos(prefetch: Int) {
        method(WireProtocol.Method.basicQos) { writer in
            writer.append(UInt32(0))
            writer.append(UInt16(clamping: prefetch))
            writer.append(UInt8(0))
        }
    }

    mutating func selectConfirms() {
        method(WireProtocol.Method.confirmSelect) { writer in writer.append(UInt8(0)) }
    }

    /// A consumer with manual acks.
    mutating func consume(queue: String, tag: String, arguments: FieldTable) {
        method(WireProtocol.Method.basicConsume) { writer in
            writer.append(UInt16(0))
            writer.appendShort(queue)
            writer.appendShort(tag)
            writer.append(UInt8(0))
            arguments.write(to: &writer)
        }
    }

    mutating func cancel(tag: String) {
        method(WireProtocol.Method.basicCancel) { writer in
            writer.appendShort(tag)
            writer.append(UInt8(0))
        }
    }

    mutating func flowOk(active: Bool) {
        method(WireProtocol.Method.channelFlowOk) { writer in writer.append(active ? 1 as UInt8 : 0) }
    }

    mutating func connectionClose() {
        method(WireProtocol.Method.connectionClose, channel: 0) { writer in
            writer.append(UInt16(200))
            writer.appendShort("")
            writer.append(UInt32(0))
        }
    }

    mutating func connectionCloseOk() {
        method(WireProtocol.Method.connectionCloseOk, channel: 0) { _ in }
    }

    mutating func heartbeat() {
        frame(WireProtocol.heartbeatFrame, channel: 0) { _ in }
    }

    @inline(__always)
    private mutating func method(_ number: UInt32, channel: UInt16? = nil, _ arguments: (inout ByteWriter) -> Void) {
        frame(WireProtocol.methodFrame, channel: channel) { writer in
            writer.append(number)
            arguments(&writer)
        }
    }

    @inline(__always)
    private mutating func frame(_ kind: UInt8, channel: UInt16? = nil, _ payload: (inout ByteWriter) -> Void) {
        writer.append(kind)
        writer.append(channel ?? self.channel)
        let mark = writer.mark
        writer.append(UInt32(0))
        payload(&writer)
        writer.overwrite(at: mark, with: UInt32(truncatingIfNeeded: writer.mark - mark - 4))
        writer.append(WireProtocol.frameEnd)
    }
}
