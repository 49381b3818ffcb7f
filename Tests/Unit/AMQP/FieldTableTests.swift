import CRabbitMQ
import Testing

@testable import AMQP

@Suite("Field tables go to the C library and back unchanged")
struct FieldTableTests {
    static let everything: FieldTable = [
        "boolean": .boolean(true), "false": .boolean(false), "int8": .int8(-128), "uint8": .uint8(255),
        "int16": .int16(-32_768), "uint16": .uint16(65_535), "int32": .int32(.min), "uint32": .uint32(.max),
        "int64": .int64(.min), "float": .float(1.5), "double": .double(-2.25),
        "decimal": .decimal(scale: 2, value: 314),
        "string": .string("grüße \u{1F955}"), "empty": .string(""), "bytes": .bytes([0, 255, 128, 10]),
        "no bytes": .bytes([]), "timestamp": .timestamp(1_700_000_000), "void": .void,
        "table": .table(["inner": .table(["deep": .array([.void, .string("x")])]), "none": .table([:])]),
        "array": .array([.int32(1), .array([.array([]), .boolean(false)]), .table(["k": .double(0)])]),
    ]

    @Test("Every type, nested tables and arrays included, keeps its type, value and place")
    func roundTrip() {
        let arena = CArena()
        let copy = FieldTable(Self.everything.makeC(in: arena))
        #expect(copy == Self.everything)
        #expect(FieldTable(FieldTable().makeC(in: arena)) == FieldTable())
    }

    @Test("The size that is computed is the size that is encoded")
    func size() throws {
        let arena = CArena()
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
        defer { memory.deallocate() }
        var table = Self.everything.makeC(in: arena)
        var size = 0
        #expect(amqp_encode_table(amqp_bytes_t(len: memory.count, bytes: memory.baseAddress), &table, &size) == 0)
        #expect(Self.everything.wireSize() == size)
    }

    @Test("An arena that was reset serves again, also for more than one block of memory")
    func arena() {
        let arena = CArena()
        let large: FieldTable = ["long": .string(String(repeating: "ab", count: 40_000)), "next": .int8(1)]
        for _ in 0..<3 {
            arena.reset()
            #expect(FieldTable(large.makeC(in: arena)) == large)
            #expect(FieldTable(Self.everything.makeC(in: arena)) == Self.everything)
        }
    }

    @Test("Tables that lie too deep have no size on the wire and are read only so far")
    func depth() {
        func nested(_ depth: Int) -> FieldTable {
            (1..<depth).reduce(["end": .boolean(true)] as FieldTable) { table, _ in ["t": .table(table)] }
        }
        #expect(nested(FieldTable.maximumDepth).wireSize() != nil)
        #expect(nested(FieldTable.maximumDepth + 1).wireSize() == nil)
        let arena = CArena()
        var read = FieldTable(nested(FieldTable.maximumDepth + 1).makeC(in: arena))
        for _ in 1..<FieldTable.maximumDepth {
            guard case .table(let inner)? = read["t"] else {
                Issue.record("a table is missing")
                return
            }
            read = inner
        }
        #expect(read["t"] == .void)
    }

    @Test("Properties keep what is set and what is not")
    func properties() {
        var properties = MessageProperties()
        let arena = CArena()
        #expect(MessageProperties(properties.makeC(in: arena)) == properties)
        properties.contentType = "application/json"
        properties.contentEncoding = "identity"
        properties.headers = Self.everything
        properties.deliveryMode = 2
        properties.priority = 0
        properties.correlationID = ""
        properties.replyTo = "r"
        properties.expiration = "60000"
        properties.messageID = "m"
        properties.timestamp = .max
        properties.type = "t"
        properties.userID = "guest"
        properties.appID = "a"
        properties.clusterID = "c"
        #expect(MessageProperties(properties.makeC(in: arena)) == properties)
    }
}
