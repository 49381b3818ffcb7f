import HTTP
import Testing

@testable import ServiceKit

@Suite("The query of a request")
struct QueryReaderTests {
    private func faults(_ items: [(name: String, value: String)], _ read: (QueryReader) -> Void) -> [String] {
        let reader = QueryReader(items, knows: ["after", "limit", "word"])
        read(reader)
        do {
            try reader.check()
            return []
        } catch {
            return (error as? Problem)?.faults.map { "\($0.field) \($0.detail)" } ?? ["another error"]
        }
    }

    @Test("is read parameter by parameter, and all that is wrong with it is said at once")
    func all() {
        let items = [
            (name: "limit", value: "0"), (name: "word", value: "a"), (name: "word", value: "b"),
            (name: String(repeating: "x", count: 100), value: ""), (name: "after", value: "there"),
        ]
        let found = faults(items) { reader in
            #expect(reader.text("word") == "a")
            #expect(reader.cursor(\.asLowercaseUUID) == nil)
            #expect(reader.limit(in: 1...100) == 50)
        }
        #expect(
            found == [
                "word is given twice", String(repeating: "x", count: 64) + " is not a known parameter",
                "after must be the `next` of an earlier answer", "limit must be a whole number from 1 to 100",
            ]
        )
    }

    @Test("has a page size of digits alone", arguments: ["1": 1, "100": 100, "007": 7])
    func limits(text: String, number: Int) {
        let none = faults([("limit", text)]) { #expect($0.limit(in: 1...100) == number) }
        #expect(none.isEmpty)
    }

    @Test("has no other page size", arguments: ["", "+1", "-1", "1.0", "101", "9999999999999999999", "١"])
    func badLimits(text: String) {
        #expect(faults([("limit", text)]) { _ = $0.limit(in: 1...100) }.count == 1)
    }

    @Test("knows a UUID in lower case from what looks like one")
    func uuids() {
        let right = "0198c0de-0000-7000-8000-00000000000f"
        #expect(right.asLowercaseUUID == right)
        for wrong in [right.uppercased(), String(right.dropLast()), right + "0", right.replacing("-", with: "0"), ""] {
            #expect(wrong.asLowercaseUUID == nil, "\(wrong)")
        }
    }
}
