import HTTP
import ServiceKit
import Testing

@testable import Order

@Suite("Idempotency keys as clients write them")
struct OrderIdempotencyKeyTests {
    @Test(
        "Quoted and bare forms of one key are the same key",
        arguments: [
            ("abc-1", "abc-1"), (#""abc-1""#, "abc-1"), ("  abc-1 ", "abc-1"), ("\t\"abc-1\"\t", "abc-1"),
            (#""a \"b\" \\ c""#, #"a "b" \ c"#), ("a,b;c=d", "a,b;c=d"),
        ]
    )
    func forms(value: String, key: String) throws {
        #expect(try IdempotencyKey(value, of: "local").text == key)
    }

    @Test(
        "What is no key is refused naming the header",
        arguments: [
            "", " ", #""""#, #"""#, #""abc"#, #"abc""#, #""abc" x"#, #""a\b""#, #""abc\"#, "a b", "ä", "\"ä\"",
            "a\u{7F}", "\"a\u{0}\"", String(repeating: "k", count: 256),
            "\"" + String(repeating: "k", count: 256) + "\"",
        ]
    )
    func refused(value: String) {
        let problem = #expect(throws: Problem.self) { try IdempotencyKey(value, of: "local") }
        #expect(problem?.status == 422)
        #expect(problem?.faults.map(\.field) == ["Idempotency-Key"])
    }

    @Test("255 characters are a key, quotes and escapes not counted")
    func longest() throws {
        #expect(try IdempotencyKey(String(repeating: "k", count: 255), of: "local").text.count == 255)
        #expect(try IdempotencyKey("\"" + String(repeating: #"\\"#, count: 255) + "\"", of: "local").text.count == 255)
    }

    @Test("A key that is being worked under is refused until the work ends")
    func running() async throws {
        let keys = IdempotencyKeys()
        let key = try IdempotencyKey("one", of: "local")
        try await keys.holding(key) {
            let same = try IdempotencyKey("\"one\"", of: "local")
            let problem = await #expect(throws: Problem.self) { try await keys.holding(same) {} }
            #expect(problem?.status == 409)
            try await keys.holding(IdempotencyKey("two", of: "local")) {}
        }
        struct Failure: Error {}
        await #expect(throws: Failure.self) { try await keys.holding(key) { throw Failure() } }
        try await keys.holding(key) {}
    }
}

@Suite("The query of a listing")
struct OrderQueryTests {
    @Test("Without parameters it is the first fifty of all orders")
    func defaults() throws {
        let query = try OrderQuery([])
        #expect(query.status == nil)
        #expect(query.after == nil)
        #expect(query.limit == 50)
    }

    @Test("All parameters are taken and appear in the address of the next page")
    func all() throws {
        let query = try OrderQuery([("status", "placed"), ("after", OrderFixtures.id), ("limit", "100")])
        #expect(query.status == .placed)
        #expect(query.after == OrderFixtures.id)
        #expect(query.limit == 100)
        #expect(query.path(after: "x") == "/orders?status=placed&after=x&limit=100")
    }

    @Test(
        "What is wrong is refused naming the parameter",
        arguments: [
            ("status", "done"), ("status", ""), ("limit", "0"), ("limit", "101"), ("limit", "ten"), ("limit", "1.0"),
            ("limit", "99999999999999999999"), ("after", ""), ("after", "'; DROP TABLE orders"), ("stats", "placed"),
        ]
    )
    func refused(name: String, value: String) {
        let problem = #expect(throws: Problem.self) { try OrderQuery([(name, value)]) }
        #expect(problem?.status == 422)
        #expect(problem?.faults.map(\.field) == [name])
    }

    @Test("All faults are named, a parameter given twice too")
    func several() {
        let problem = #expect(throws: Problem.self) {
            try OrderQuery([("limit", "1"), ("limit", "2"), ("status", "done"), ("x", "y")])
        }
        #expect(problem?.faults.map(\.field).sorted() == ["limit", "status", "x"])
    }
}
