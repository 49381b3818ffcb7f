import Telemetry
import Testing

@Suite("A traceparent")
struct TraceparentTests {
    private static let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("is read and written as the standard's example")
    func example() throws {
        let parent = try #require(Traceparent(Self.example))
        #expect(parent.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(parent.parentID == "00f067aa0ba902b7")
        #expect(parent.isSampled)
        #expect(parent.description == Self.example)
    }

    @Test("gives children of the same trace with a span of their own")
    func children() throws {
        let parent = try #require(Traceparent(Self.example))
        let child = parent.child()
        #expect(child.traceID == parent.traceID)
        #expect(child.parentID != parent.parentID)
        #expect(child.isSampled)
        #expect(Traceparent(child.description) == child)
    }

    @Test("begins a new trace that is valid and unlike any other")
    func newTraces() {
        let traces = (0..<1000).map { _ in Traceparent.newTrace(isSampled: false) }
        #expect(traces.allSatisfy { Traceparent($0.description) == $0 && !$0.isSampled })
        #expect(Set(traces.map(\.traceID)).count == 1000)
    }

    @Test("of a later version is read as far as this one goes, and written in this one")
    func laterVersions() throws {
        let later = try #require(Traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes"))
        #expect(later.description == Self.example)
    }

    @Test(
        "that is not valid is refused",
        arguments: [
            "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.x",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        ]
    )
    func refusing(text: String) {
        #expect(Traceparent(text) == nil)
    }
}
