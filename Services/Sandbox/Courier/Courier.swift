import HTTP
import Synchronization
import Telemetry

/// The courier at work: its books behind a lock, a clock, and a post that carries its webhooks.
///
/// It forgets everything with its process.
final class Courier: Sendable {
    /// One call's reply, and how its answer travels.
    struct Answer: Sendable {
        var reply: CourierState.Reply?
        var fault: CourierFault?
    }

    private struct Books {
        var state: CourierState
        var faults = CourierFaultPlan()
        /// Grows with each reset: what was to be sent before is not sent any more.
        var generation = 0
    }

    private let books: Mutex<Books>
    private let post: CourierPost
    private let now: @Sendable () -> Int64
    private let alarms: AsyncStream<Void>
    private let alarm: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - delay: how long after its booking a parcel leaves, and after that arrives, in milliseconds.
    ///   - now: milliseconds since 1970.
    init(delay: Int64, post: CourierPost, now: @escaping @Sendable () -> Int64 = Provider.wallClock) {
        books = Mutex(Books(state: CourierState(delay: delay)))
        self.post = post
        self.now = now
        (alarms, alarm) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: Clients

    func put(_ id: String, _ address: CourierState.Address, version: Int) -> Answer {
        call(.put) { $0.put(id, address, version: version, at: now()) }
    }

    func get(_ id: String) -> Answer { call(.get) { $0.get(id) } }

    func delete(_ id: String) -> Answer { call(.delete) { $0.delete(id) } }

    private func call(_ call: CourierFault.Call, _ work: (inout CourierState) -> CourierState.Reply) -> Answer {
        let answer = books.withLock { books in
            let fault = books.faults.next(call)
            switch fault?.kind {
            case .unavailable, .rateLimit: return Answer(reply: nil, fault: fault)
            default: return Answer(reply: work(&books.state), fault: fault)
            }
        }
        alarm.yield()
        return answer
    }

    // MARK: Parcels

    /// Lets parcels leave and arrive, and sends webhooks, until it is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            // The earliest moment for which somebody is awake already.
            var awake = Int64.max
            for await _ in alarms {
                let now = now()
                let (moved, next) = books.withLock { books in (books.state.advance(to: now), books.state.nextDue) }
                for shipment in moved { send(shipment, &group) }
                for shipment in handMoved.withLock({ exchange(&$0, with: []) }) { send(shipment, &group) }
                if awake <= now { awake = .max }
                if let next, next < awake {
                    awake = next
                    group.addTask { [alarm] in
                        // Cancelled means that the sandbox ends, and then nobody listens any more.
                        try? await Task.sleep(for: .milliseconds(max(1, next - now)))
                        alarm.yield()
                    }
                }
            }
            group.cancelAll()
        }
    }

    /// Those that were moved by hand and of which the post has not heard.
    private let handMoved = Mutex<[CourierState.Shipment]>([])

    private func send(_ shipment: CourierState.Shipment, _ group: inout DiscardingTaskGroup) {
        let (fault, generation) = books.withLock { ($0.faults.next(.webhook), $0.generation) }
        group.addTask { [self] in
            await post.deliver(CourierPost.Webhook(shipment, at: now()), fault) {
                books.withLock { $0.generation } == generation
            }
        }
    }

    // MARK: Control

    /// Lets a parcel leave, or arrive where it has left, now.
    ///
    /// - Returns: the shipment as it is now; nil where it does not move.
    func moveOn(_ id: String) -> CourierState.Shipment? {
        guard let moved = books.withLock({ $0.state.moveOn(id, at: now()) }) else { return nil }
        handMoved.withLock { $0.append(moved) }
        alarm.yield()
        return moved
    }

    /// Plans a fault.
    func plan(_ fault: CourierFault, for call: CourierFault.Call, count: Int) {
        books.withLock { $0.faults.plan(fault, for: call, count: count) }
    }

    /// No planned faults any more.
    func clearFaults() {
        books.withLock { $0.faults = CourierFaultPlan() }
    }

    /// What was done, oldest first.
    var effects: [CourierState.Effect] { books.withLock { $0.state.effects } }

    /// The webhooks that were sent, and what they were answered.
    var sent: [CourierPost.Sent] { post.sent }

    /// Forgets everything, webhooks that were to be sent included.
    func reset() {
        books.withLock { books in
            books.state = CourierState(delay: books.state.delay)
            books.faults = CourierFaultPlan()
            books.generation += 1
        }
        handMoved.withLock { $0 = [] }
        post.forget()
    }
}

private func exchange<Value>(_ place: inout Value, with value: Value) -> Value {
    let old = place
    place = value
    return old
}
