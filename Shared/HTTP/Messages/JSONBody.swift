import JSON

extension HTTPRequest {
    /// Decodes a JSON body.
    ///
    /// - Throws: a `Problem`: 415 when the content type is not JSON, 400 when the body is no strict JSON (duplicate keys, NUL,
    ///   invalid UTF-8 and more than 32 levels included), 422 that names the field when a value is missing or has the
    ///   wrong type or range. A `Problem` thrown by the type's own `init(from:)` comes through.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        guard isJSON else {
            throw Problem(
                status: 415,
                slug: "unsupported-media-type",
                title: "The content type is not supported",
                detail: "The body must be JSON, with the header Content-Type: application/json.",
                faults: [.init(field: "Content-Type", detail: "must be application/json")],
                headers: ["Accept": "application/json"]
            )
        }
        guard !body.isEmpty else { throw Problem.malformedBody("The body is empty.") }
        do {
            return try StrictJSON.decode(type, from: body)
        } catch let problem as Problem {
            throw problem
        } catch let fault as JSONFault {
            throw Problem.malformedBody("At byte \(fault.offset): \(fault.reason).")
        } catch let error as DecodingError {
            throw Problem.invalidRequest([error.inputFault])
        } catch {
            // What a type's own initialiser throws beside that is not made for the eyes of clients.
            throw Problem.invalidRequest([])
        }
    }

    /// Whether the content type is `application/json` or ends in `+json`; parameters do not matter.
    private var isJSON: Bool {
        let type = headers["Content-Type"]?.prefix { $0 != ";" } ?? ""
        let lowered = type.filter { $0 != " " && $0 != "\t" }.lowercased()
        return lowered == "application/json" || (lowered.hasPrefix("application/") && lowered.hasSuffix("+json"))
    }
}

extension Problem {
    fileprivate static func malformedBody(_ detail: String) -> Problem {
        Problem(status: 400, slug: "malformed-body", title: "The body is not valid JSON", detail: detail)
    }

    /// 422 `invalid-request`: the request is well-formed, and these fields hold what cannot be.
    public static func invalidRequest(_ faults: [Fault], detail: String? = nil) -> Problem {
        Problem(
            status: 422,
            slug: "invalid-request",
            title: "The request is invalid",
            detail: detail
                ?? faults.first.map { $0.field.isEmpty ? "The body \($0.detail)." : "\($0.field) \($0.detail)." },
            faults: faults
        )
    }
}

extension DecodingError {
    /// The fault of the input that the error tells of.
    var inputFault: Problem.Fault {
        switch self {
        case .keyNotFound(let key, let context):
            Problem.Fault(field: Self.path(context.codingPath + [key]), detail: "is required")
        case .valueNotFound(let type, let context):
            Problem.Fault(field: Self.path(context.codingPath), detail: "must not be null; it \(Self.demand(type))")
        case .typeMismatch(let type, let context):
            Problem.Fault(field: Self.path(context.codingPath), detail: Self.demand(type))
        case .dataCorrupted(let context):
            Problem.Fault(field: Self.path(context.codingPath), detail: Self.detail(of: context))
        @unknown default:
            Problem.Fault(field: "", detail: "is not valid")
        }
    }

    /// The path in the form `lines[0].quantity`; empty for the whole body.
    static func path(_ keys: [any CodingKey]) -> String {
        var result = ""
        for key in keys {
            // Keys of dictionaries may be numbers too; only those of arrays call themselves an index.
            if let index = key.intValue, key.stringValue == "Index \(index)" {
                result += "[\(index)]"
            } else {
                result += result.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return result
    }

    private static func demand(_ type: any Any.Type) -> String {
        switch type {
        case is any BinaryInteger.Type: "must be a whole number"
        case is any BinaryFloatingPoint.Type: "must be a number"
        case is Bool.Type: "must be true or false"
        case is String.Type: "must be a string"
        case is [Any].Type: "must be a list"
        case is [String: Any].Type: "must be an object"
        default: "has the wrong type"
        }
    }

    private static func detail(of context: Context) -> String {
        let reason = context.debugDescription
        if reason.hasPrefix("is out of range") { return reason }
        if reason.hasPrefix("Cannot initialize") { return "has a value that is not known" }
        return reason.isEmpty ? "is not valid" : "is not valid: \(reason)"
    }
}
