public import HTTP
public import JSON
public import TestSupport
import Testing

/// An OpenAPI document of a service, and what holds of each of them.
public struct APIDocument {
    /// All of it.
    public let document: JSONValue
    /// Its schemas, which what it says is held against.
    public let schema: JSONSchema

    /// Reads a document of this repository, by its path from the root.
    public init(_ path: String) throws {
        document = try YAML.read(path)
        schema = JSONSchema(document: document)
    }

    /// A schema by its name.
    public func rules(_ name: String) -> JSONValue? { document["components", "schemas", name] }

    /// The names that a schema has for an enumeration.
    public func names(_ name: String) -> [String] { (rules(name)?["enum"]?.array ?? []).compactMap(\.text) }

    /// Every operation, with its method and path in one text.
    public var operations: [(name: String, path: String, operation: JSONValue)] {
        (document["paths"]?.object ?? [:]).flatMap { path, item in
            (item.object ?? [:]).map { ("\($0.key.uppercased()) \(path)", path, $0.value) }
        }
    }

    /// The routes are those of the code.
    public func checkRoutes(_ routes: [String]) {
        #expect(Set(operations.map(\.name)) == Set(routes))
        #expect(operations.count == routes.count)
    }

    /// Every answer with a body has a schema, and every example keeps to it.
    ///
    /// - Returns: how many examples there are.
    public func checkExamples() throws -> Int {
        var checked = 0
        func check(_ content: JSONValue?, at place: String) throws {
            for (type, media) in content?.object ?? [:] {
                #expect(document.resolving(media["schema"]) != nil, "\(place) \(type)")
                for (name, example) in media["examples"]?.object ?? [:] {
                    let value = try #require(document.resolving(example)?["value"])
                    #expect(try schema.faults(value, media["schema"]) == [], "\(place) \(type) \(name)")
                    checked += 1
                }
            }
        }
        for (name, _, operation) in operations {
            try check(operation["requestBody", "content"], at: name)
            for (status, answer) in operation["responses"]?.object ?? [:] {
                let answer = document.resolving(answer)
                #expect(answer?["content"] != nil, "\(name) \(status)")
                try check(answer?["content"], at: "\(name) \(status)")
            }
        }
        return checked
    }

    /// Every operation has a name, and says what any request may be answered with; every kind of problem is named.
    ///
    /// - Parameter kinds: those of the service's own.
    ///
    /// An operation whose `security` is `{}` alone asks for no token, and answers none with 401.
    public func checkProblems(_ kinds: [ProblemKind]) throws {
        for (name, _, operation) in operations {
            #expect(operation["operationId"]?.text != nil, "\(name)")
            let responses = operation["responses"]?.object ?? [:]
            #expect(responses["default"]?["$ref"]?.text == "#/components/responses/Server", "\(name)")
            for status in ["403", "422", "503"] { #expect(responses[status] != nil, "\(name)") }
            let isOpen = operation["security"]?.array?.map { $0.object?.isEmpty ?? true } == [true]
            #expect((responses["401"] == nil) == isOpen, "\(name)")
            for status in ["400", "415"] {
                #expect((responses[status] != nil) == (operation["requestBody"] != nil), "\(name)")
            }
        }
        let kit = try YAML.read("Shared/ServiceKit/Operations/openapi.yaml")[
            "components",
            "schemas",
            "ProblemType",
            "enum"
        ]
        #expect(names("ProblemType") == (kit.elements.compactMap(\.text) + kinds.map(\.path)).sorted())
    }
}
