import Foundation
public import JSON

/// How tests read and write JSON: by paths, without asking at each step whether there is anything.
extension JSONValue {
    /// What an encoder makes of a value.
    public init(encoding value: some Encodable) throws {
        self = try JSONDecoder().decode(JSONValue.self, from: try JSONEncoder().encode(value))
    }

    /// The value as another type.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: try JSONEncoder().encode(self))
    }

    /// The value as JSON text, names in order.
    public var bytes: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map(Array.init) ?? []
    }

    /// The object without that member.
    public func without(_ name: String) -> JSONValue {
        guard case .object(var members) = self else { return self }
        members[name] = nil
        return .object(members)
    }

    /// The elements; none when it is no array.
    public var elements: [JSONValue] { array ?? [] }

    /// The element at that place, if there is one.
    public subscript(index: Int) -> JSONValue? { elements.indices.contains(index) ? elements[index] : nil }

    /// The value under these names, nil where one of them is missing.
    public subscript(first: String, second: String, rest: String...) -> JSONValue? {
        rest.reduce(self[first]?[second]) { value, name in value?[name] }
    }

    /// What a `$ref` points to within this document; other values are themselves.
    public func resolving(_ value: JSONValue?) -> JSONValue? {
        guard let reference = value?["$ref"]?.text else { return value }
        var target: JSONValue? = self
        for key in reference.dropFirst(2).split(separator: "/") {
            target = target?[String(key).replacing("~1", with: "/")]
        }
        return resolving(target)
    }
}

extension Optional where Wrapped == JSONValue {
    /// The member of that name, if there is one.
    public subscript(name: String) -> JSONValue? {
        get { self?[name] }
        set { self?[name] = newValue }
    }
    /// The element at that place, if there is one.
    public subscript(index: Int) -> JSONValue? { self?[index] }
    /// The text, if it is one.
    public var text: String? { self?.text }
    /// The whole number, if it is one.
    public var integer: Int64? { self?.integer }
    /// The elements; none when it is no array.
    public var elements: [JSONValue] { self?.elements ?? [] }
}
