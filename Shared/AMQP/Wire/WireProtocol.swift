/// Numbers of AMQP 0-9-1 (specification, section 4.2 and the class reference) that the client puts on the wire itself.
enum WireProtocol {
    /// Type, channel and payload size come before a frame's payload, and one octet after it.
    static let frameOverhead = 8
    /// Before the payload.
    static let frameHeaderSize = 7
    static let frameEnd: UInt8 = 0xCE
    static let basicClass: UInt16 = 60

    static let methodFrame: UInt8 = 1
    static let headerFrame: UInt8 = 2
    static let bodyFrame: UInt8 = 3
    static let heartbeatFrame: UInt8 = 8

    /// A method: its class in the upper half, its number in the lower.
    enum Method {
        static let connectionClose: UInt32 = 10 << 16 | 50
        static let connectionCloseOk: UInt32 = 10 << 16 | 51
        static let connectionBlocked: UInt32 = 10 << 16 | 60
        static let connectionUnblocked: UInt32 = 10 << 16 | 61
        static let channelFlow: UInt32 = 20 << 16 | 20
        static let channelFlowOk: UInt32 = 20 << 16 | 21
        static let channelClose: UInt32 = 20 << 16 | 40
        static let basicQos: UInt32 = 60 << 16 | 10
        static let basicQosOk: UInt32 = 60 << 16 | 11
        static let basicConsume: UInt32 = 60 << 16 | 20
        static let basicConsumeOk: UInt32 = 60 << 16 | 21
        static let basicCancel: UInt32 = 60 << 16 | 30
        static let basicCancelOk: UInt32 = 60 << 16 | 31
        static let basicPublish: UInt32 = 60 << 16 | 40
        static let basicReturn: UInt32 = 60 << 16 | 50
        static let basicDeliver: UInt32 = 60 << 16 | 60
        static let basicAck: UInt32 = 60 << 16 | 80
        static let basicReject: UInt32 = 60 << 16 | 90
        static let basicNack: UInt32 = 60 << 16 | 120
        static let confirmSelect: UInt32 = 85 << 16 | 10
        static let confirmSelectOk: UInt32 = 85 << 16 | 11
    }

    /// Which of the basic properties follow, from the first on (specification, class `basic`).
    enum PropertyFlag {
        static let contentType: UInt16 = 1 << 15
        static let contentEncoding: UInt16 = 1 << 14
        static let headers: UInt16 = 1 << 13
        static let deliveryMode: UInt16 = 1 << 12
        static let priority: UInt16 = 1 << 11
        static let correlationID: UInt16 = 1 << 10
        static let replyTo: UInt16 = 1 << 9
        static let expiration: UInt16 = 1 << 8
        static let messageID: UInt16 = 1 << 7
        static let timestamp: UInt16 = 1 << 6
        static let type: UInt16 = 1 << 5
        static let userID: UInt16 = 1 << 4
        static let appID: UInt16 = 1 << 3
        static let clusterID: UInt16 = 1 << 2
        /// Another word of flags follows.
        static let more: UInt16 = 1
    }
}
