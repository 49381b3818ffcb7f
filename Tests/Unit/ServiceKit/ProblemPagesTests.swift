import HTTP
import JSON
import Telemetry
import TestSupport
import Testing

@testable import ServiceKit

@Suite("The pages of problems")
struct ProblemPagesTests {
    private let catalogue: ProblemCatalogue
    private let router: Router

    init() throws {
        let own = ProblemKind(
            "tea-is-out",
            status: 409,
            title: "Tea & <more> is out",
            meaning: "The last \"leaf\" is gone.",
            mend: "Wait."
        )
        catalogue = try ProblemCatalogue(ProblemKind.ofService + [own])
        // Behind doors with a lock: who is refused has no token yet.
        router = try RouterAssembly.router(
            of: ProblemPages(catalogue: catalogue).routes,
            operatorToken: "0123456789abcdef",
            metrics: MetricsRegistry()
        )
    }

    private func get(_ path: String, accept: String? = nil) async -> (response: HTTPResponse, text: String) {
        var request = HTTPRequest(method: "GET", path: path)
        request.headers["Host"] = "127.0.0.1:9081"
        request.headers["Accept"] = accept
        let response = await router.respond(to: request, logger: .silent)
        return (response, String(decoding: response.body, as: UTF8.self))
    }

    @Test("are there for every kind, where its type leads, with what it means and what to do")
    func every() async {
        #expect(catalogue.kinds.count > 25)
        for kind in catalogue.kinds {
            let (response, text) = await get(Problem(kind).kind.path)
            #expect(response.status == 200, "\(kind.slug)")
            #expect(response.headers["Content-Type"] == "text/plain; charset=utf-8")
            for part in [kind.title, "Status: \(kind.status)", kind.meaning, kind.mend, "/problems/\(kind.slug)"] {
                #expect(text.contains(part), "\(kind.slug)")
            }
        }
    }

    @Test("are listed, each with its status")
    func list() async {
        let (response, text) = await get("/problems")
        #expect(response.status == 200)
        let lines = text.split(separator: "\n")
        #expect(lines.count == catalogue.kinds.count)
        #expect(lines.contains("422  /problems/invalid-request  The request is invalid"))
    }

    @Test("are no more than there are")
    func unknown() async throws {
        for path in ["/problems/no-such-thing", "/problems/Invalid-Request"] {
            let (response, _) = await get(path)
            #expect(response.status == 404)
            #expect(try JSONValue(parsing: response.body)["type"]?.text == "/problems/not-found")
        }
    }

    @Test(
        "are HTML for whoever prefers it, and text for all others",
        arguments: [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true), ("text/html", true),
            ("text/html;q=0.2, text/plain;q=0.1", true), ("TEXT/HTML ; Q=1", true), ("*/*", false), ("text/*", false),
            ("text/plain", false), ("text/html;q=0", false), ("text/html;q=0.5, text/plain", false), ("", false),
            ("application/json", false),
        ]
    )
    func accepted(accept: String, isHTML: Bool) async {
        for path in ["/problems", "/problems/starting"] {
            let (response, text) = await get(path, accept: accept)
            #expect(response.headers["Content-Type"]?.hasPrefix("text/html") == isHTML)
            #expect(response.headers["Vary"] == "Accept")
            #expect(text.hasPrefix("<!DOCTYPE html>") == isHTML)
        }
    }

    @Test("show text as text, whatever is in it")
    func escapes() async {
        let (response, text) = await get("/problems/tea-is-out", accept: "text/html")
        #expect(text.contains("<h1>Tea &amp; &lt;more&gt; is out</h1>"))
        #expect(text.contains("The last &quot;leaf&quot; is gone."))
        #expect(response.headers["Content-Security-Policy"]?.contains("default-src 'none'") == true)
    }
}

@Suite("Kinds of problems")
struct ProblemKindTests {
    /// The kit's code; what services add is held to the same in the shop's tests.
    @Test("are all in the catalogue, and all of them are answered")
    func complete() throws {
        let sources = try ProblemSources.read("Shared")
        #expect(sources.others.isEmpty, "kinds are made where nobody looks for them")
        let slugs = Set(sources.declared.values)
        #expect(slugs.count == sources.declared.count, "two kinds have one slug")
        #expect(Set(ProblemKind.ofService.map(\.slug)) == slugs)
        #expect(sources.used == Set(sources.declared.keys), "a kind that nothing answers, or none that is named")
        #expect(ProblemKind.ofService.count == slugs.count)
    }

    @Test("say in a sentence what they mean and what to do")
    func sentences() {
        for kind in ProblemKind.ofService {
            #expect(!kind.title.hasSuffix("."), "\(kind.slug)")
            for text in [kind.meaning, kind.mend] {
                #expect(text.hasSuffix(".") && text.first?.isUppercase ?? false || text.hasPrefix("`"), "\(kind.slug)")
                #expect(!text.contains("\n"), "\(kind.slug)")
            }
        }
    }

    @Test("are named in the OpenAPI document, those that any request may meet too")
    func documented() throws {
        let schemas = try YAML.read("Shared/ServiceKit/Operations/openapi.yaml")["components"]?["schemas"]
        #expect(
            schemas?["ProblemType", "enum"].elements.compactMap(\.text) == ProblemKind.ofService.map(\.path).sorted()
        )
        let anywhere = ProblemKind.ofConnection + [.misdirectedRequest, .starting]
        let server = schemas?["ServerProblem", "properties"]
        #expect(server?["type", "enum"].elements.compactMap(\.text) == anywhere.map(\.path).sorted())
        #expect(
            server?["status", "enum"].elements.compactMap(\.integer) == Set(anywhere.map { Int64($0.status) }).sorted()
        )
    }
}
