public import HTTP

/// Collects the faults of an input, so that a client learns of all of them at once.
///
/// Keeps the first hundred: an input made to be wrong in a million places gets no answer of that size.
public final class FaultCollector {
    /// In the order in which they were found.
    public private(set) var faults: [Problem.Fault] = []

    /// Makes an empty one.
    public init() {}

    /// Notes a fault of one field, by its JSON path.
    public func add(_ field: String, _ detail: String) {
        guard faults.count < 100 else { return }
        faults.append(Problem.Fault(field: field, detail: detail))
    }
}

/// Reads one JSON object field by field.
///
/// A field that is missing or of another type is noted as a fault and read as nil; nothing is thrown, so that reading
/// goes on.
public struct FieldReader {
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private let path: String
    private let container: KeyedDecodingContainer<Key>
    /// Where faults are noted.
    public let faults: FaultCollector

    /// Reads the object at the root of an input.
    ///
    /// - Throws: `DecodingError` when it is not an object.
    public init(_ decoder: any Decoder, faults: FaultCollector) throws {
        try self.init(decoder, path: "", faults: faults)
    }

    private init(_ decoder: any Decoder, path: String, faults: FaultCollector) throws {
        self.path = path
        self.container = try decoder.container(keyedBy: Key.self)
        self.faults = faults
    }

    /// The JSON path of a field of this object.
    public func field(_ name: String) -> String { path.isEmpty ? name : path + "." + name }

    /// Notes a fault of one field.
    public func fault(_ name: String, _ detail: String) { faults.add(field(name), detail) }

    /// Notes every field that is not one of these.
    public func refuseFields(otherThan known: Set<String>) {
        // Dictionaries have no order; answers should.
        for name in container.allKeys.map(\.stringValue).filter({ !known.contains($0) }).sorted() {
            faults.add(field(String(name.prefix(64))), "is not a known field")
        }
    }

    /// A text; no rule but its type is looked at.
    public func text(_ name: String) -> String? {
        guard isPresent(name) else { return nil }
        guard let text = try? container.decode(String.self, forKey: Key(name)) else {
            fault(name, "must be text")
            return nil
        }
        return text
    }

    /// A text of one line for people's eyes: of that many characters, without control characters, not blank.
    ///
    /// It is given back whatever is wrong with it; what is wrong is noted.
    public func line(_ name: String, _ length: ClosedRange<Int>) -> String? {
        guard let text = text(name) else { return nil }
        checkLine(text, name, length)
        return text
    }

    private func checkLine(_ text: String, _ name: String, _ length: ClosedRange<Int>) {
        let scalars = text.unicodeScalars
        if !length.contains(scalars.count) {
            fault(name, "must have \(length.lowerBound) to \(length.upperBound) characters")
        } else if scalars.contains(where: Self.breaksLine) {
            fault(name, "must not contain control characters or line separators")
        } else if scalars.allSatisfy(\.properties.isWhitespace) {
            fault(name, "must not be blank")
        }
    }

    private static func breaksLine(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    /// A whole number of that range, however it is written: 2, 2.0 and 2e0 are one number, as JSON Schema has it.
    public func integer(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard isPresent(name) else { return nil }
        guard let number = whole(Key(name)), range.contains(number) else {
            fault(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    private func whole(_ key: Key) -> Int64? {
        if let number = try? container.decode(Int64.self, forKey: key) { return number }
        return (try? container.decode(Double.self, forKey: key)).flatMap { Int64(exactly: $0) }
    }

    /// The object in a field.
    public func object(_ name: String) -> FieldReader? {
        guard isPresent(name) else { return nil }
        guard let decoder = try? container.superDecoder(forKey: Key(name)),
            let reader = try? FieldReader(decoder, path: field(name), faults: faults)
        else {
            fault(name, "must be an object")
            return nil
        }
        return reader
    }

    /// The objects of an array; nil when it has another length.
    ///
    /// An element that is no object is a fault and left out.
    public func objects(_ name: String, count: ClosedRange<Int>) -> [FieldReader]? {
        guard isPresent(name) else { return nil }
        guard var array = try? container.nestedUnkeyedContainer(forKey: Key(name)), let length = array.count else {
            fault(name, "must be an array")
            return nil
        }
        guard count.contains(length) else {
            fault(name, "must have \(count.lowerBound) to \(count.upperBound) elements, has \(length)")
            return nil
        }
        var readers: [FieldReader] = []
        for index in 0..<length {
            let element = "\(field(name))[\(index)]"
            // `superDecoder` moves on to the next element whatever this one is; a failed `nestedContainer` would not.
            if let decoder = try? array.superDecoder(),
                let reader = try? FieldReader(decoder, path: element, faults: faults)
            {
                readers.append(reader)
            } else {
                faults.add(element, "must be an object")
            }
        }
        return readers
    }

    /// An array of lines of text, each as `line` has it; nil when it has another length or an element is no text.
    public func lines(_ name: String, count: ClosedRange<Int>, _ length: ClosedRange<Int>) -> [String]? {
        guard isPresent(name) else { return nil }
        guard let texts = try? container.decode([String].self, forKey: Key(name)) else {
            fault(name, "must be an array of texts")
            return nil
        }
        guard count.contains(texts.count) else {
            fault(name, "must have \(count.lowerBound) to \(count.upperBound) elements, has \(texts.count)")
            return nil
        }
        for (index, text) in texts.enumerated() { checkLine(text, "\(name)[\(index)]", length) }
        return texts
    }

    /// Whether the object has the field, for one that may be left out; nothing is noted.
    public func has(_ name: String) -> Bool { container.contains(Key(name)) }

    private func isPresent(_ name: String) -> Bool {
        if container.contains(Key(name)) { return true }
        fault(name, "is missing")
        return false
    }
}
