import AMQP
import TestSupport
import Testing

@Suite("A connection's state is shown to whoever looks", .timeLimit(.minutes(5)))
struct StateBoardTests {
    @Test("Each observer gets the state there is, each later one once, in their order, and an end")
    func order() async {
        let board = StateBoard()
        board.set(.connecting)
        let states = board.states
        board.set(.ready)
        board.set(.ready)
        let late = board.states
        board.set(.blocked(reason: "disk"))
        board.finish(.closed(cause: "over"))
        var seen: [ConnectionState] = []
        for await state in states { seen.append(state) }
        #expect(seen == [.connecting, .ready, .blocked(reason: "disk"), .closed(cause: "over")])
        seen = []
        for await state in late { seen.append(state) }
        #expect(seen == [.ready, .blocked(reason: "disk"), .closed(cause: "over")])
        seen = []
        for await state in board.states { seen.append(state) }
        #expect(seen == [.closed(cause: "over")])
    }

    @Test("An observer that is being cancelled while states are shown stops nobody")
    func cancelledObserver() async throws {
        let board = StateBoard()
        try await Cancellation.stopsNobody {
            for await _ in board.states {}
        } resume: {
            board.set(board.current == .ready ? .connecting : .ready)
        }
    }
}
