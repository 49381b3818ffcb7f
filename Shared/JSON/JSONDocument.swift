/// JSON text that has been checked, with an index of its values.
///
/// What is refused is listed at `JSONFault.Code`: it is what decoders let pass or take differently, so that two readers of
/// the same bytes cannot disagree. The index is one flat array in the order of the text; nothing is decoded before it is
/// asked for. Immutable, and so safe to share.
public final class JSONDocument: Sendable {
    /// The deepest nesting that is allowed unless another is given; the outermost value is the first level.
    public static let standardDepth = 32

    /// What a value is.
    public enum Kind: UInt8, Sendable {
        /// An object.
        case object
        /// An array.
        case array
        /// A string without escapes.
        case plainString
        /// A string with escapes.
        case escapedString
        /// A number without fraction and exponent.
        case integer
        /// A number with a fraction or an exponent.
        case real
        /// `true`
        case yes
        /// `false`
        case no
        /// `null`
        case null
    }

    /// A value, or the name of a member, in the index.
    struct Node: Sendable {
        var kind: Kind
        /// Where its text begins; of a string, the first byte behind the quote.
        var start: UInt32
        /// Where its text ends; of a string, the closing quote.
        var end: UInt32
        /// The node after this one and everything in it.
        var next: UInt32
        /// Of an object its members, of an array its elements.
        var count: UInt32
    }

    /// The text.
    public let bytes: [UInt8]
    let nodes: [Node]

    /// Checks and indexes a text of less than 4 GiB.
    ///
    /// - Throws: the first `JSONFault`.
    public init(_ bytes: [UInt8], maximumDepth: Int = JSONDocument.standardDepth) throws(JSONFault) {
        guard bytes.count < Int(UInt32.max) else {
            throw JSONFault(.malformed, "the text has 4 GiB or more", at: 0)
        }
        var scanner = JSONScanner(bytes, maximumDepth: maximumDepth)
        nodes = try scanner.scan()
        self.bytes = bytes
    }

    /// What the outermost value is.
    public var kind: Kind { nodes[0].kind }

    /// A member of the outermost object: its place in this document.
    public struct Member: Sendable {
        /// What its value is.
        public let kind: Kind
        let node: Int
    }

    /// The member of the outermost object with that name; nil when there is none, or no object.
    public func member(_ name: StaticString) -> Member? {
        var cursor = MemberCursor()
        return member(name, after: &cursor)
    }

    /// How many members the outermost object has; 0 where it is none.
    public var memberCount: Int { kind == .object ? Int(nodes[0].count) : 0 }

    /// The members of the outermost object with their names, in the order of the text.
    public var members: [(name: String, member: Member)] {
        var name = 1
        return (0..<memberCount).map { _ in
            defer { name = Int(nodes[name + 1].next) }
            return (string(at: name) ?? "", Member(kind: nodes[name + 1].kind, node: name + 1))
        }
    }

    /// Where a search for members goes on.
    public struct MemberCursor: Sendable {
        var name = 1
        var position = 0

        /// At the first member.
        public init() {}
    }

    /// The same, looking first where the last search ended: members that are asked for in the order of the text are
    /// found at once.
    public func member(_ name: StaticString, after cursor: inout MemberCursor) -> Member? {
        guard nodes[0].kind == .object else { return nil }
        let count = Int(nodes[0].count)
        for _ in 0..<count {
            if cursor.position == count { cursor = MemberCursor() }
            let found = cursor.name
            cursor.name = Int(nodes[found + 1].next)
            cursor.position += 1
            if matches(found, name) { return Member(kind: nodes[found + 1].kind, node: found + 1) }
        }
        return nil
    }

    /// The text of a member's value, a string's quotes included.
    public func text(of member: Member) -> ArraySlice<UInt8> { text(of: member.node) }

    /// The value of a member where it is a string, otherwise nil.
    public func string(of member: Member) -> String? { string(at: member.node) }

    /// Whether a member's value is a string that is written without escapes, of printable ASCII characters only.
    public func isPrintableASCII(_ member: Member) -> Bool {
        guard member.kind == .plainString else { return false }
        let node = nodes[member.node]
        return bytes.withUnsafeBytes { JSONText.isPrintableASCII($0, Int(node.start)..<Int(node.end)) }
    }

    /// The texts of the elements, where the outermost value is an array; otherwise nil.
    public var elements: [ArraySlice<UInt8>]? {
        guard kind == .array else { return nil }
        var element = 1
        return (0..<nodes[0].count).map { _ in
            defer { element = Int(nodes[element].next) }
            return text(of: element)
        }
    }

    // MARK: For the decoder

    func string(at index: Int) -> String? {
        let node = nodes[index]
        let range = Int(node.start)..<Int(node.end)
        switch node.kind {
        case .plainString: return String(decoding: bytes[range], as: UTF8.self)
        case .escapedString: return JSONText.unescape(bytes[range])
        default: return nil
        }
    }

    /// The text of a value, a string's quotes included.
    func text(of index: Int) -> ArraySlice<UInt8> {
        let node = nodes[index]
        switch node.kind {
        case .plainString, .escapedString: return bytes[Int(node.start) - 1...Int(node.end)]
        default: return bytes[Int(node.start)..<Int(node.end)]
        }
    }

    /// The value of the first member whose name satisfies a condition.
    func firstMember(of index: Int, where condition: (Int) -> Bool) -> Int? {
        guard nodes[index].kind == .object else { return nil }
        var name = index + 1
        for _ in 0..<nodes[index].count {
            if condition(name) { return name + 1 }
            name = Int(nodes[name + 1].next)
        }
        return nil
    }

    private func matches(_ index: Int, _ name: StaticString) -> Bool {
        let node = nodes[index]
        guard node.kind == .plainString else { return string(at: index) == name.description }
        let start = Int(node.start)
        let count = Int(node.end) - start
        guard count == name.utf8CodeUnitCount else { return false }
        return bytes.withUnsafeBufferPointer { bytes in
            for offset in 0..<count where bytes[start + offset] != name.utf8Start[offset] { return false }
            return true
        }
    }

    func matches(_ index: Int, _ name: String) -> Bool {
        let node = nodes[index]
        guard node.kind == .plainString else { return string(at: index) == name }
        let range = Int(node.start)..<Int(node.end)
        guard name.utf8.count == range.count else { return false }
        var position = range.lowerBound
        for byte in name.utf8 {
            guard bytes[position] == byte else { return false }
            position += 1
        }
        return true
    }
}
