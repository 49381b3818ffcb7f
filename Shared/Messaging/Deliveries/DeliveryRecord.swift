/// What a row keeps of a delivery besides its state.
struct DeliveryRecord: Sendable {
    var key: DeliveryKey
    var type: String
    var subjectKey: SubjectKey
    var sequence: UInt64?
    var receivedAt: Int64
    var body: [UInt8]
    var properties: StoredProperties

    var subject: String { subjectKey.subject }
}
