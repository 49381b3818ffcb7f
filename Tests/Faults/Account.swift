import AMQP
import Synchronization

/// What became of each message, by the client's word, and what a consumer has read.
///
/// Each number is sent once at most: what may have arrived is not sent again, so that the account can be checked to the
/// message.
final class Account: Sendable {
    struct Books: Sendable {
        /// Not sent so far, or reported as never sent.
        var waiting: [Int]
        var confirmed: Set<Int> = []
        var returned: Set<Int> = []
        var nacked: Set<Int> = []
        /// In flight when the connection was lost.
        var unknown: Set<Int> = []
        /// Reported as never sent, which then were sent again.
        var neverSent = 0
        var consumed: Set<Int> = []
        var consumedAgain = 0
        /// Consumed a second time without the flag that says so.
        var unmarked: Set<Int> = []
        var otherErrors: [AMQPError] = []
        /// Whether more is to be sent now.
        var isOpen = false

        var settled: Int { confirmed.count + returned.count + nacked.count + unknown.count }
        /// Confirmed and not consumed.
        var missing: Set<Int> { confirmed.subtracting(consumed) }
    }

    private let mutable: Mutex<Books>
    private let trap = Mutex<(mark: Int, action: @Sendable () -> Void)?>(nil)

    init(count: Int) {
        mutable = Mutex(Books(waiting: (0..<count).reversed()))
    }

    var books: Books { mutable.withLock { $0 } }
    var settled: Int { mutable.withLock { $0.settled } }
    var missing: Int { mutable.withLock { $0.missing.count } }

    var isOpen: Bool {
        get { mutable.withLock { $0.isOpen } }
        set { mutable.withLock { $0.isOpen = newValue } }
    }

    /// The next numbers to send; none when all have been.
    func next(_ count: Int) -> [Int] {
        mutable.withLock { books in
            let taken = Array(books.waiting.suffix(count).reversed())
            books.waiting.removeLast(taken.count)
            return taken
        }
    }

    /// Does something as soon as so many messages have an outcome, at once and on the client's own thread.
    func at(_ mark: Int, _ action: @escaping @Sendable () -> Void) {
        trap.withLock { $0 = (mark, action) }
        springTrap(settled)
    }

    private func springTrap(_ settled: Int) {
        let action = trap.withLock { trap -> (@Sendable () -> Void)? in
            guard let set = trap, settled >= set.mark else { return nil }
            trap = nil
            return set.action
        }
        action?()
    }

    func note(_ number: Int, _ error: AMQPError?) {
        let settled = mutable.withLock { books -> Int in
            switch error?.code {
            case nil: books.confirmed.insert(number)
            case .returned: books.returned.insert(number)
            case .nacked: books.nacked.insert(number)
            case .connectionLost: books.unknown.insert(number)
            case .closed:
                books.waiting.append(number)
                books.neverSent += 1
            default: if let error { books.otherErrors.append(error) }
            }
            return books.settled
        }
        springTrap(settled)
    }

    func consumed(_ burst: [IncomingMessage]) {
        mutable.withLock { books in
            for message in burst {
                let number = Int(String(decoding: message.message.body, as: UTF8.self)) ?? -1
                if !books.consumed.insert(number).inserted {
                    books.consumedAgain += 1
                    if !message.redelivered { books.unmarked.insert(number) }
                }
            }
        }
    }
}
