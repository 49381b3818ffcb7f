import Events
import Foundation
import JSON
import Messaging
import ShopEvents
import TestSupport
import Testing

@Suite("The catalogue of the shop's events")
struct EventCatalogueTests {
    private let document: JSONValue

    init() throws { document = try YAML.read("Shared/ShopEvents/asyncapi.yaml") }

    @Test("is what the document and the code say")
    func fresh() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../../Shared/ShopEvents/catalogue.md").standardizedFileURL
        let text = EventCatalogue(document).text
        if ProcessInfo.processInfo.environment["WARREN_CATALOGUE"] == "write" {
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        let written = try String(contentsOf: file, encoding: .utf8)
        let difference = zip(text.split(separator: "\n"), written.split(separator: "\n")).first { $0 != $1 }
        #expect(text == written, "\(difference.map { "\($0) instead of \($1)" } ?? "one is longer")")
    }

    @Test("says of every event why somebody hears it, for all that hear it")
    func reasons() {
        for subscription in Shop.topology(with: Set(Shop.Context.allCases)).subscriptions {
            let channel = document["channels", subscription.subscriber + "Queue"]
            let why = channel?["x-why"]?.object ?? [:]
            #expect(Set(why.keys) == Set((channel?["messages"]?.object ?? [:]).keys), "\(subscription.subscriber)")
            #expect(why.values.allSatisfy { $0.text?.hasSuffix(".") == true })
        }
    }

    @Test("says of every event since when there is one, and of every field that may be absent since when it has it")
    func history() throws {
        for type in Shop.events {
            let name = String(describing: type)
            let message = document["components", "messages", name]
            let since = try #require(message?["x-since"]?.text, "\(name)")
            let added = message?["x-added"]?.object ?? [:]
            let rules = document["components", "schemas", name]
            let required = (rules?["required"]?.array ?? []).compactMap(\.text)
            let optional = Set((rules?["properties"]?.object ?? [:]).keys).subtracting(required)
            #expect(optional.isSubset(of: added.keys), "\(name)")
            for (field, date) in added {
                #expect(try #require(date.text) >= since, "\(name).\(field)")
                #expect(isOptional(field, in: rules), "\(name).\(field)")
            }
        }
    }

    /// Whether a field, `customer.id` or `lines.name`, is one that may be absent.
    private func isOptional(_ field: String, in rules: JSONValue?) -> Bool {
        var rules = document.resolving(rules)
        var isRequired = true
        for name in field.split(separator: ".").map(String.init) {
            guard let part = rules?["properties", name] else { return false }
            isRequired = rules?["required"].elements.contains(.string(name)) == true
            rules = document.resolving(part)
            if let items = rules?["items"] { rules = document.resolving(items) }
        }
        return !isRequired
    }
}
