import JSON

extension HTTPRequest {
    /// Decodes a JSON body.
    ///
    /// - Throws: a `Problem`: 415 when the content type is not JSON, 400 when the body is no strict JSON (duplicate keys, NUL,
    ///   invalid UTF-8 and more than 32 levels included), 422 that names the field when a value is missing or has the
    ///   wrong type or range. A `Problem` thrown by the type's own `init(from:)` comes through.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try checkJSON()
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

    /// Decodes a JSON body that is an object of these members, none of which may be null.
    ///
    /// Nothing that a client has said is passed over: a member that is misspelt, or null for want of a value, could mean less
    /// than was meant, or more.
    ///
    /// - Throws: a `Problem` as `decode(_:)` does; 422 names every member that is unknown or null.
    public func decode<Value: Decodable>(_ type: Value.Type, members: [String]) throws -> Value {
        try checkMembers(members)
        return try decode(type)
    }

    /// Makes sure that there is no body, or an empty object: for a request that takes none.
    ///
    /// - Throws: a `Problem` as `decode(_:members:)` does.
    public func checkNoBody() throws {
        if !body.isEmpty { try checkMembers([]) }
    }

    /// Makes sure that there is no query: for a request that takes none.
    ///
    /// - Throws: a `Problem` (422) that names every parameter.
    public func checkNoQuery() throws {
        let faults = Set(query.map(\.name)).sorted().map { name in
            Problem.Fault(field: String(name.prefix(64)), detail: "is not a parameter of this request (it has none)")
        }
        guard faults.isEmpty else { throw Problem.invalidRequest(Array(faults.prefix(100))) }
    }

    private func checkMembers(_ known: [String]) throws {
        try checkJSON()
        let document: JSONDocument
        do throws(JSONFault) {
            document = try JSONDocument(body)
        } catch {
            throw Problem.malformedBody("At byte \(error.offset): \(error.reason).")
        }
        guard document.kind == .object else {
            throw Problem.invalidRequest([Problem.Fault(field: "", detail: "must be an object")])
        }
        let faults = document.members.compactMap { name, member -> Problem.Fault? in
            guard known.contains(name) else { return .unknown(name, among: known) }
            return member.kind == .null ? .null(name) : nil
        }
        guard faults.isEmpty else { throw Problem.invalidRequest(Array(faults.prefix(100))) }
    }

    private func checkJSON() throws {
        guard isJSON else {
            throw Problem(
                .unsupportedMediaType,
                detail: "The body must be JSON, with the header Content-Type: application/json.",
                faults: [.init(field: "Content-Type", detail: "must be application/json")],
                headers: ["Accept": "application/json"]
            )
        }
        guard !body.isEmpty else { throw Problem.malformedBody("The body is empty.") }
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
        Problem(.malformedBody, detail: detail)
    }

    /// 422 `invalid-request`: the request is well-formed, and these fields hold what cannot be.
    public static func invalidRequest(_ faults: [Fault], detail: String? = nil) -> Problem {
        Problem(
            .invalidRequest,
            detail: detail
                ?? faults.first.map { $0.field.isEmpty ? "The body \($0.detail)." : "\($0.field) \($0.detail)." },
            faults: faults
        )
    }
}

extension Problem.Fault {
    /// A field that is none of those that there are.
    public static func unknown(_ field: String, among known: [String]) -> Problem.Fault {
        let names = known.isEmpty ? "there is none" : "there are \(known.joined(separator: ", "))"
        return Problem.Fault(field: String(field.prefix(64)), detail: "is not known (\(names))")
    }

    /// A field that is null and may not be.
    public static func null(_ field: String) -> Problem.Fault {
        Problem.Fault(field: field, detail: "must not be null; leave it out where it has no value")
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
