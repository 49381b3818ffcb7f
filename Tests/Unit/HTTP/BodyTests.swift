import Foundation
import HTTP
import Testing

@Suite("A JSON body is decoded, or a problem names what is wrong with it")
struct BodyTests {
    struct Line: Codable, Equatable {
        var sku: String
        var quantity: Int
    }
    struct Order: Codable, Equatable {
        var customer: String
        var lines: [Line]
        var gift: Bool?
        var discount: UInt8?
        var weight: Double?
        var state: State?
        var labels: [String: Int]?
    }
    enum State: String, Codable {
        case open
        case closed
    }

    static func request(_ body: some Sequence<UInt8>, type: String? = "application/json") -> HTTPRequest {
        var request = HTTPRequest(method: "POST", path: "/orders")
        request.headers["Content-Type"] = type
        request.body = Array(body)
        return request
    }

    static func problem(_ request: HTTPRequest) -> Problem? {
        do {
            _ = try request.decode(Order.self)
            return nil
        } catch {
            return error as? Problem
        }
    }

    @Test(
        "Types that are JSON are taken",
        arguments: [
            "application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json",
            "application/problem+json ;x=y",
        ]
    )
    func jsonTypes(type: String) throws {
        let order = try Self.request(
            #"{"customer":"c\u00e9\ud83d\ude00","lines":[{"sku":"a","quantity":2}]}"#.utf8,
            type: type
        )
        .decode(Order.self)
        #expect(order == Order(customer: "cé😀", lines: [Line(sku: "a", quantity: 2)]))
    }

    @Test(
        "Other types are 415",
        arguments: [nil, "", "text/plain", "application/x-www-form-urlencoded", "image/x+json", "json"]
    )
    func otherTypes(type: String?) {
        let problem = Self.problem(Self.request("{}".utf8, type: type))
        #expect(problem?.status == 415)
        #expect(problem?.faults.first?.field == "Content-Type")
    }

    @Test(
        "A field that is missing or wrong is 422 with its path",
        arguments: [
            (#"{"lines":[]}"#, "customer", "is required"),
            (#"{"customer":null,"lines":[]}"#, "customer", "must not be null; it must be a string"),
            (#"{"customer":1,"lines":[]}"#, "customer", "must be a string"),
            (#"{"customer":"c","lines":{}}"#, "lines", "must be a list"),
            (#"{"customer":"c","lines":[{"sku":"a","quantity":"2"}]}"#, "lines[0].quantity", "must be a whole number"),
            (#"{"customer":"c","lines":[{"sku":"a","quantity":1},{"sku":"a"}]}"#, "lines[1].quantity", "is required"),
            (
                #"{"customer":"c","lines":[{"sku":"a","quantity":1.5}]}"#, "lines[0].quantity",
                "must be a whole number"
            ),
            (
                #"{"customer":"c","lines":[{"sku":"a","quantity":99999999999999999999}]}"#, "lines[0].quantity",
                "is out of range"
            ),
            (#"{"customer":"c","lines":[],"discount":-1}"#, "discount", "is out of range"),
            (
                #"{"customer":"c","lines":[{"sku":"a","quantity":300},{"sku":"a","quantity":7}],"weight":1.5,"discount":300}"#,
                "discount", "is out of range"
            ),
            (#"{"weight":1e999,"customer":"c","lines":[{"sku":"a","quantity":1}]}"#, "weight", "is out of range"),
            (#"{"customer":"c","lines":[],"gift":"yes"}"#, "gift", "must be true or false"),
            (#"{"customer":"c","lines":[],"weight":"1"}"#, "weight", "must be a number"),
            (#"{"customer":"c","lines":[7]}"#, "lines[0]", "must be an object"),
            (#"{"customer":"c","lines":[],"state":"lost"}"#, "state", "has a value that is not known"),
            (#"{"customer":"c","lines":[],"labels":{"5":"x"}}"#, "labels.5", "must be a whole number"),
            (#"[]"#, "", "must be an object"),
        ]
    )
    func faults(body: String, field: String, detail: String) {
        let problem = Self.problem(Self.request(body.utf8))
        #expect(problem?.status == 422)
        #expect(problem?.slug == "invalid-request")
        #expect(problem?.faults.map(\.field) == [field])
        #expect(problem?.faults.first?.detail.hasPrefix(detail) == true, "\(problem?.faults ?? [])")
    }

    @Test(
        "What is no strict JSON is 400 and says where",
        arguments: [
            ("", "empty"),
            ("{", "At byte 1"),
            (#"{"customer":"c","lines":[],}"#, "At byte 27: a name in double quotes"),
            (#"{"customer":"c" "lines":[]}"#, "a comma"),
            (#"{"customer":"c","lines":[]} x"#, "something follows"),
            (#"{"customer":"c","lines":[],"customer":"d"}"#, #"the name "customer" occurs twice"#),
            (#"{"customer":"c","lines":[],"custo\u006der":"d"}"#, #"the name "customer" occurs twice"#),
            (#"{"customer":"\u0000","lines":[]}"#, "NUL"),
            ("{\"customer\":\"\0\",\"lines\":[]}", "NUL"),
            (#"{"customer":"\ud800","lines":[]}"#, "surrogate"),
            (#"{"customer":"\ud800\u0041","lines":[]}"#, "surrogate"),
            (#"{"customer":"\x","lines":[]}"#, "escape"),
            (#"{"customer":01,"lines":[]}"#, "a comma"),
            (#"{"customer":1.,"lines":[]}"#, "digit"),
            (#"{"customer":+1,"lines":[]}"#, "a value is expected"),
            (#"{"customer":nul,"lines":[]}"#, "an unknown word"),
            (#"{"customer":NaN,"lines":[]}"#, "a value is expected"),
            ("\u{FEFF}{}", "outside of ASCII"),
            (String(repeating: "[", count: 33) + String(repeating: "]", count: 33), "more than 32 levels"),
            (String(repeating: "[", count: 10_000), "more than 32 levels"),
        ]
    )
    func notJSON(body: String, detail: String) {
        let problem = Self.problem(Self.request(body.utf8))
        #expect(problem?.status == 400)
        #expect(problem?.slug == "malformed-body")
        #expect(problem?.detail?.contains(detail) == true, "\(problem?.detail ?? "nothing")")
    }

    @Test(
        "Bytes that are no UTF-8 are 400",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xC3],
            [0xF0, 0x9F, 0x98],
        ] as [[UInt8]]
    )
    func notUTF8(bytes: [UInt8]) {
        let body = Array(#"{"customer":""#.utf8) + bytes + Array(#"","lines":[]}"#.utf8)
        let problem = Self.problem(Self.request(body))
        #expect(problem?.status == 400)
        #expect(problem?.detail?.contains("does not belong to UTF-8") == true)
    }

    @Test("A number that does not fit is named by its path, however long the list")
    func manyNumbers() {
        func body(_ count: Int) -> String {
            let lines = (0..<count).map { #"{"sku":"a","quantity":"# + ($0 == count - 2 ? "1.5" : "\($0)") + "}" }
            return #"{"customer":"c","lines":["# + lines.joined(separator: ",") + "]}"
        }
        #expect(
            Self.problem(Self.request(body(1000).utf8))?.faults
                == [.init(field: "lines[998].quantity", detail: "must be a whole number")]
        )
        #expect(
            Self.problem(Self.request(body(10_000).utf8))?.faults
                == [.init(field: "lines[9998].quantity", detail: "must be a whole number")]
        )
    }

    @Test("32 levels are let through")
    func deepest() throws {
        indirect enum Nest: Decodable {
            case list([Nest])
            init(from decoder: any Decoder) throws {
                self = .list(try decoder.singleValueContainer().decode([Nest].self))
            }
        }
        let text = String(repeating: "[", count: 32) + String(repeating: "]", count: 32)
        _ = try Self.request(text.utf8).decode(Nest.self)
    }

    @Test("Forms are encoded so that they decode to the same")
    func forms() {
        let items = [("amount", "1 000+5%"), ("metadata[order_id]", "é&=\n"), ("empty", "")].map {
            (name: $0.0, value: $0.1)
        }
        let text = FormURLEncoded.encode(items)
        #expect(text == "amount=1%20000%2B5%25&metadata%5Border_id%5D=%C3%A9%26%3D%0A&empty=")
        let decoded = FormURLEncoded.decode(text.utf8)
        #expect(decoded?.map(\.name) == items.map(\.name))
        #expect(decoded?.map(\.value) == items.map(\.value))
        #expect(FormURLEncoded.decode("a=%zz".utf8) == nil)
    }

    @Test("Headers compare names without case, keep order and hide credentials")
    func headers() {
        var headers: HTTPHeaders = ["Set-Cookie": "a=1", "X": "1"]
        headers.add("set-cookie", "b=2")
        #expect(headers["SET-COOKIE"] == "a=1")
        #expect(headers.values("Set-Cookie") == ["a=1", "b=2"])
        headers["x"] = "2"
        headers["Authorization"] = "Bearer secret"
        #expect(headers.fields.map(\.name) == ["Set-Cookie", "x", "set-cookie", "Authorization"])
        #expect(!"\(headers)".contains("secret"))
        var dumped = ""
        dump(headers, to: &dumped)
        #expect(!dumped.contains("secret"))
        #expect(headers == ["set-cookie": "a=1", "X": "2", "Set-Cookie": "b=2", "authorization": "Bearer secret"])
    }
}
