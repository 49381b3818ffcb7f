import Foundation
import JSON
import Testing

/// Everything that a payload may hold.
private struct Everything: Codable, Equatable {
    enum Colour: String, Codable {
        case red
        case blue
    }

    enum Shape: Codable, Equatable {
        case circle(radius: Int)
        case square(side: Double, name: String)
        case nothing
    }

    struct Inner: Codable, Equatable {
        var text: String
        var numbers: [Int]
    }

    var flag: Bool
    var small: Int8
    var large: Int64
    var unsigned: UInt64
    var fraction: Double
    var text: String
    var missing: String?
    var present: Int?
    var inner: Inner
    var list: [Inner]
    var nested: [[String]]
    var byName: [String: Inner]
    var colour: Colour
    var shapes: [Shape]

    static let sample = Everything(
        flag: true,
        small: -128,
        large: .min,
        unsigned: .max,
        fraction: -0.125,
        text: "quote \" backslash \\ slash / tab \t é 😀 \u{1}",
        missing: nil,
        present: 7,
        inner: Inner(text: "", numbers: []),
        list: [Inner(text: "a", numbers: [1, 2]), Inner(text: "b", numbers: [3])],
        nested: [[], ["x"], ["y", "z"]],
        byName: ["one": Inner(text: "1", numbers: [1])],
        colour: .blue,
        shapes: [.circle(radius: 2), .square(side: 1.5, name: "s"), .nothing]
    )
}

/// A type that writes and reads by hand, in no order.
private final class ByHand: Codable {
    let numbers: [Int]
    let name: String

    init(numbers: [Int], name: String) {
        self.numbers = numbers
        self.name = name
    }

    enum Key: CodingKey {
        case outer
        case list
        case name
        case last
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        var list = try container.nestedUnkeyedContainer(forKey: .list)
        var numbers: [Int] = []
        while !list.isAtEnd { numbers.append(try list.decode(Int.self)) }
        self.numbers = numbers
        name = try container.nestedContainer(keyedBy: Key.self, forKey: .outer).decode(String.self, forKey: .name)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        var outer = container.nestedContainer(keyedBy: Key.self, forKey: .outer)
        var list = container.nestedUnkeyedContainer(forKey: .list)
        for number in numbers { try list.encode(number) }
        try container.encode("end", forKey: .last)
        try outer.encode(name, forKey: .name)
    }
}

@Suite("Values and strict JSON")
struct StrictJSONTests {
    @Test("go forth and back")
    func roundTrip() throws {
        let bytes = try StrictJSON.encode(Everything.sample)
        #expect(try StrictJSON.decode(Everything.self, from: bytes) == Everything.sample)
    }

    @Test("are read and written as Foundation does")
    func foundation() throws {
        let bytes = try StrictJSON.encode(Everything.sample)
        #expect(try JSONDecoder().decode(Everything.self, from: Data(bytes)) == Everything.sample)
        let others = Array(try JSONEncoder().encode(Everything.sample))
        #expect(try StrictJSON.decode(Everything.self, from: others) == Everything.sample)
    }

    @Test("written by hand, in any order, come out whole")
    func byHand() throws {
        let bytes = try StrictJSON.encode([ByHand(numbers: [1, 2, 3], name: "n"), ByHand(numbers: [], name: "")])
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix(#"[{"last":"end","outer":{"name":"n"},"list":[1,2,3]},"#))
        let read = try StrictJSON.decode([ByHand].self, from: bytes)
        #expect(read.map(\.numbers) == [[1, 2, 3], []])
        #expect(read.map(\.name) == ["n", ""])
    }

    @Test("keep the order of an array's elements, nested ones included")
    func elements() throws {
        struct Mixed: Encodable {
            func encode(to encoder: any Encoder) throws {
                var array = encoder.unkeyedContainer()
                try array.encode(1)
                var inner = array.nestedUnkeyedContainer()
                try inner.encode("two")
                try array.encode(3)
                try array.encodeNil()
                #expect(array.count == 4)
            }
        }
        #expect(String(decoding: try StrictJSON.encode(Mixed()), as: UTF8.self) == #"[1,["two"],3,null]"#)
    }

    @Test("that are whole numbers are read from whole numbers that fit, and from nothing else")
    func integers() throws {
        func read<Number: Decodable>(_ type: Number.Type, _ text: String) throws -> Number {
            try StrictJSON.decode([Number].self, from: Array("[\(text)]".utf8))[0]
        }
        #expect(try read(Int8.self, "-128") == -128)
        #expect(try read(Int64.self, "9223372036854775807") == .max)
        #expect(try read(UInt64.self, "18446744073709551615") == .max)
        #expect(try read(Double.self, "10") == 10)
        for text in ["1e3", "10.0", "1.5", "\"1\"", "true", "null", "128", "-129"] {
            #expect(throws: DecodingError.self) { try read(Int8.self, text) }
        }
        #expect(throws: DecodingError.self) { try read(UInt.self, "-1") }
        #expect(throws: DecodingError.self) { try read(Int64.self, "9223372036854775808") }
        #expect(throws: DecodingError.self) { try read(Double.self, "1e999") }
    }

    @Test("say where they are wrong")
    func paths() throws {
        struct Order: Codable {
            struct Line: Codable { var quantity: Int }
            var lines: [Line]
            var note: String
        }
        func names(_ keys: [any CodingKey]) -> String {
            keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        }
        func path(_ text: String) -> String? {
            let result = Result { try StrictJSON.decode(Order.self, from: Array(text.utf8)) }
            switch result {
            case .success: return nil
            case .failure(DecodingError.typeMismatch(_, let context)): return names(context.codingPath)
            case .failure(DecodingError.valueNotFound(_, let context)): return names(context.codingPath)
            case .failure(DecodingError.keyNotFound(let key, let context)): return names(context.codingPath + [key])
            case .failure(let error): return "\(error)"
            }
        }
        #expect(path(#"{"lines":[{"quantity":1},{"quantity":"x"}],"note":""}"#) == "lines.1.quantity")
        #expect(path(#"{"lines":[{"quantity":1},{}],"note":""}"#) == "lines.1.quantity")
        #expect(path(#"{"lines":[{"quantity":null}],"note":""}"#) == "lines.0.quantity")
        #expect(path(#"{"lines":{},"note":""}"#) == "lines")
        #expect(path(#"{"lines":[]}"#) == "note")
        #expect(path(#"[]"#) == "")
        #expect(path(#"{"lines":[],"note":"é\n","more":[{"a":{}}]}"#) == nil)
    }

    @Test("that JSON cannot hold are refused", arguments: [Double.infinity, -.infinity, .nan])
    func infinite(number: Double) {
        #expect(throws: EncodingError.self) { try StrictJSON.encode([number]) }
    }

    @Test("at the top may be of any kind")
    func scalars() throws {
        #expect(try StrictJSON.decode(String.self, from: Array(#""a\u00e9""#.utf8)) == "aé")
        #expect(try StrictJSON.decode(Int?.self, from: Array("null".utf8)) == nil)
        #expect(String(decoding: try StrictJSON.encode("a\"b"), as: UTF8.self) == #""a\"b""#)
        #expect(String(decoding: try StrictJSON.encode([String: Int]()), as: UTF8.self) == "{}")
        #expect(String(decoding: try StrictJSON.encode(2.0), as: UTF8.self) == "2")
    }
}
