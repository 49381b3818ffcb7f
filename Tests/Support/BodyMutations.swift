public import JSON

/// A body that differs from a right one in one place.
public struct BodyMutation: Sendable, CustomStringConvertible {
    /// The place as a problem names it, `lines[0].quantity`.
    public let path: String
    /// The whole body.
    public let body: JSONValue

    /// The place and the body.
    public var description: String { "\(path) in \(String(decoding: body.bytes, as: UTF8.self))" }

    /// Every way in which one place of a body is null, of another type, or has a member too many.
    public static func all(of body: JSONValue) -> [BodyMutation] { all(of: body, at: "") }

    private static let others: [JSONValue] = [.null, true, 7, "x", [], [7], [.null], [:], ["x": 7]]

    private static func all(of value: JSONValue, at path: String) -> [BodyMutation] {
        var result: [BodyMutation] = []
        if !path.isEmpty {
            result += others.filter { $0.kind != value.kind || $0 == .null }.map { BodyMutation(path: path, body: $0) }
        }
        switch value {
        case .object(let members):
            let typo = path.isEmpty ? "typo" : "\(path).typo"
            for extra: JSONValue in [7, .null] {
                result.append(BodyMutation(path: typo, body: .object(members.merging(["typo": extra]) { $1 })))
            }
            for (name, member) in members {
                for mutation in all(of: member, at: path.isEmpty ? name : "\(path).\(name)") {
                    let body = members.merging([name: mutation.body]) { $1 }
                    result.append(BodyMutation(path: mutation.path, body: .object(body)))
                }
            }
        case .array(let elements):
            for (index, element) in elements.enumerated() {
                for mutation in all(of: element, at: "\(path)[\(index)]") {
                    var body = elements
                    body[index] = mutation.body
                    result.append(BodyMutation(path: mutation.path, body: .array(body)))
                }
            }
        default: break
        }
        return result
    }
}

extension JSONValue {
    /// What it is, apart from its value; numbers are one kind.
    fileprivate var kind: Int {
        switch self {
        case .null: 0
        case .bool: 1
        case .integer, .number: 2
        case .string: 3
        case .array: 4
        case .object: 5
        }
    }
}
