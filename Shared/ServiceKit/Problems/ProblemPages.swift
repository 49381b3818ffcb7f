import HTTP

/// `/problems`: a page for each kind of problem that the program answers, where its `type` leads.
///
/// For whoever can reach the address: who is refused has no token yet.
struct ProblemPages: Sendable {
    let catalogue: ProblemCatalogue

    var routes: [Wiring.Route] {
        [
            Wiring.Route(method: "GET", pattern: "/problems", access: .anyone) { request in index(request) },
            Wiring.Route(method: "GET", pattern: "/problems/{slug}", access: .anyone) { request in
                guard let kind = catalogue[request.parameters["slug"] ?? ""] else {
                    throw Problem(.notFound, detail: "This program answers no such problem; /problems lists all.")
                }
                return page(of: kind, request)
            },
        ]
    }

    /// A page without the routes, which are not there while the program starts; nil where the request is for something else.
    func page(for request: HTTPRequest) -> HTTPResponse? {
        guard request.method == "GET" || request.method == "HEAD" else { return nil }
        if request.path == "/problems" { return index(request) }
        let prefix = "/problems/"
        guard request.path.hasPrefix(prefix) else { return nil }
        return catalogue[String(request.path.dropFirst(prefix.count))].map { page(of: $0, request) }
    }

    private func index(_ request: HTTPRequest) -> HTTPResponse {
        guard MediaRanges(of: request).preferHTML else {
            let lines = catalogue.kinds.map { "\($0.status)  \($0.path)  \($0.title)\n" }
            return Self.text(lines.joined())
        }
        let items = catalogue.kinds.map { kind in
            "<li>\(kind.status) <a href=\"\(kind.path)\">\(Self.escaped(kind.title))</a></li>\n"
        }
        return Self.html("Problems", "<ul>\n\(items.joined())</ul>\n")
    }

    private func page(of kind: ProblemKind, _ request: HTTPRequest) -> HTTPResponse {
        guard MediaRanges(of: request).preferHTML else {
            return Self.text(
                """
                \(kind.title)

                Type: \(kind.path)
                Status: \(kind.status)

                What it means: \(kind.meaning)

                What to do: \(kind.mend)

                """
            )
        }
        return Self.html(
            kind.title,
            """
            <p><code>\(kind.path)</code>, status \(kind.status)</p>
            <h2>What it means</h2>
            <p>\(Self.escaped(kind.meaning))</p>
            <h2>What to do</h2>
            <p>\(Self.escaped(kind.mend))</p>
            <p><a href="/problems">All problems</a></p>

            """
        )
    }

    private static func text(_ text: String) -> HTTPResponse {
        var response = HTTPResponse.text(text)
        response.headers["Vary"] = "Accept"
        return response
    }

    private static func html(_ title: String, _ body: String) -> HTTPResponse {
        let title = escaped(title)
        var response = HTTPResponse.text(
            """
            <!DOCTYPE html>
            <html lang="en">
            <head><meta charset="utf-8"><title>\(title)</title></head>
            <body>
            <h1>\(title)</h1>
            \(body)</body>
            </html>

            """,
            contentType: "text/html; charset=utf-8"
        )
        response.headers["Vary"] = "Accept"
        // It is a page and nothing else: whatever got into it would not run.
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        return response
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}

/// What `Accept` asks for (RFC 9110, section 12.5.1), as far as it takes to choose between text and HTML.
struct MediaRanges {
    private var qualities: [String: Double] = [:]

    init(of request: HTTPRequest) {
        for item in request.headers.values("Accept").flatMap({ $0.split(separator: ",") }) {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let range = parts.first else { continue }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) }
            qualities[range] = weight ?? 1
        }
    }

    /// Whether HTML is asked for rather than plain text, as browsers do; who says nothing gets text.
    var preferHTML: Bool { quality("text/html") > quality("text/plain") }

    private func quality(_ type: String) -> Double { qualities[type] ?? qualities["text/*"] ?? qualities["*/*"] ?? 0 }
}
