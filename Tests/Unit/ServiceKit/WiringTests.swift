import Database
import HTTP
import Telemetry
import Testing

@testable import ServiceKit

@Suite("Wiring", .timeLimit(.minutes(5)))
struct WiringTests {
    @Test("keeps what is registered, in order, and takes nothing once it is over")
    func sealing() {
        let log = CollectingLogSink()
        let wiring = Wiring(logger: Logger("test", sink: log))
        wiring.route("GET", "/a", .callers) { _ in .text("a") }
        wiring.route("GET", "/b", .callers) { _ in .text("b") }
        wiring.background("webhooks") {}
        wiring.check("provider") { nil }
        wiring.onClose {}
        let parts = wiring.seal()
        #expect(parts.routes.map(\.pattern) == ["/a", "/b"])
        #expect(parts.backgrounds.map(\.name) == ["webhooks"] && parts.checks.map(\.name) == ["provider"])
        #expect(parts.closers.count == 1)
        #expect(log.records.isEmpty)
        wiring.route("GET", "/late", .callers) { _ in .text("late") }
        #expect(wiring.seal().routes.count == 2)
        #expect(log.records.map(\.level) == [.error])
    }

    @Test("answers a database that cannot be used now by 503 on every route, and any other fault of it by 500")
    func database() async throws {
        for (code, status) in [(DatabaseError.Code.busy, 503), (.misuse, 500)] {
            let route = Wiring.Route(method: "GET", pattern: "/a", access: .anyone) { _ in
                throw DatabaseError(code: code, reason: "a test")
            }
            let router = try RouterAssembly.router(of: [route], metrics: MetricsRegistry())
            let response = await router.respond(to: HTTPRequest(method: "GET", path: "/a"), logger: .silent)
            #expect(response.status == status)
            #expect((response.headers["Retry-After"] != nil) == (status == 503))
        }
    }

    @Test("can be stopped once, and who asks later is told at once")
    func stopSignal() {
        let stop = StopSignal()
        let told = MutexBox(0)
        stop.onRequest { told.change { $0 += 1 } }
        #expect(!stop.isRequested && told.value == 0)
        stop.request()
        stop.request()
        #expect(stop.isRequested && told.value == 1)
        stop.onRequest { told.change { $0 += 10 } }
        #expect(told.value == 11)
    }

    @Test("waits for work no longer than it has time, and cancels what is late")
    func deadlines() async {
        #expect(await Deadline.value(within: .seconds(60)) { 7 } == 7)
        let wasCancelled = MutexBox(false)
        let (ended, hasEnded) = AsyncStream.makeStream(of: Void.self)
        let late = await Deadline.value(within: .milliseconds(20)) {
            let (never, continuation) = AsyncStream.makeStream(of: Never.self)
            for await _ in never {}
            continuation.finish()
            wasCancelled.change { $0 = Task.isCancelled }
            hasEnded.yield()
            return 7
        }
        #expect(late == nil)
        for await _ in ended { break }
        #expect(wasCancelled.value)
    }
}
