import HTTP
import Telemetry
import Testing

@testable import ServiceKit

@Suite("What a program answers while it starts")
struct FrontDoorTests {
    private static func door() throws -> FrontDoor {
        FrontDoor(pages: ProblemPages(catalogue: try ProblemCatalogue(ProblemKind.ofService)))
    }

    private func ask(_ door: FrontDoor, _ method: String, _ path: String) async -> (status: Int, text: String) {
        let response = await door.router.respond(to: HTTPRequest(method: method, path: path), logger: .silent)
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    @Test("is that it lives, what it is at, and that everything else comes later")
    func starting() async throws {
        let door = try Self.door()
        door.starting("the database is being checked")
        #expect(await ask(door, "GET", "/livez") == (200, "ok"))
        #expect(await ask(door, "HEAD", "/livez").status == 200)
        #expect(await ask(door, "GET", "/readyz") == (503, "[-] start: the database is being checked, for 0 s\n"))
        for (method, path) in [("POST", "/livez"), ("POST", "/orders"), ("GET", "/"), ("GET", "/metrics")] {
            let answer = await ask(door, method, path)
            #expect(answer.status == 503)
            #expect(answer.text.contains("/problems/starting"))
            #expect(answer.text.contains("the database is being checked"))
        }
    }

    @Test("is, where the type of that answer leads, what it means")
    func page() async throws {
        let door = try Self.door()
        let page = await ask(door, "GET", "/problems/starting")
        #expect(page.status == 200 && page.text.contains("Status: 503"))
        #expect(await ask(door, "GET", "/problems").status == 200)
        #expect(await ask(door, "GET", "/problems/no-such-thing").status == 503)
        #expect(await ask(door, "POST", "/problems/starting").status == 503)
    }

    @Test("says for how long it has been at it")
    func time() {
        let response = FrontDoor.answer(
            HTTPRequest(method: "GET", path: "/readyz"),
            task: "the database is being migrated to kit/3",
            for: .milliseconds(754_999)
        )
        #expect(
            String(decoding: response.body, as: UTF8.self)
                == "[-] start: the database is being migrated to kit/3, for 754 s\n"
        )
    }

    @Test("is, from when it is wired, what its routes say")
    func open() async throws {
        let door = try Self.door()
        var router = Router()
        router.on("GET", "/hello") { _ in .text("hello") }
        let refusals = MutexBox(0)
        router.onRefusal = { _, _ in refusals.change { $0 += 1 } }
        door.router.onRefusal("GET", 413)
        door.open(router)
        // Nothing goes back behind it.
        door.starting("the database is being opened")
        #expect(await ask(door, "GET", "/hello") == (200, "hello"))
        #expect(await ask(door, "GET", "/orders").status == 404)
        door.router.onRefusal("GET", 413)
        #expect(refusals.value == 2)
    }
}
