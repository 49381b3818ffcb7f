import Glibc

/// A queue from any thread to one or more threads that wait for work.
///
/// Waiting blocks the thread, so only threads of this module wait, never Swift's. Thread-safe.
///
/// Unchecked: every access to the variables is made with the mutex held; the pointers never change.
@safe final class WorkQueue<Element: Sendable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let arrival: UnsafeMutablePointer<pthread_cond_t>
    private var elements: [Element?] = []
    private var head = 0
    private var waiting = 0
    private var isClosed = false

    init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe arrival = .allocate(capacity: 1)
        unsafe pthread_cond_init(arrival, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(arrival)
        unsafe arrival.deallocate()
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Appends an element; false when the queue has been closed.
    func push(_ element: Element) -> Bool {
        unsafe pthread_mutex_lock(mutex)
        guard !isClosed else {
            unsafe pthread_mutex_unlock(mutex)
            return false
        }
        elements.append(element)
        let wakes = waiting > 0
        unsafe pthread_mutex_unlock(mutex)
        // A thread that is at work looks again by itself: no system call for it.
        if wakes { unsafe pthread_cond_signal(arrival) }
        return true
    }

    /// Waits for work and takes what is there, up to `limit`, oldest first; nil when the queue is closed and empty.
    func take(upTo limit: Int) -> [Element]? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while head == elements.count {
            if isClosed { return nil }
            waiting += 1
            unsafe pthread_cond_wait(arrival, mutex)
            waiting -= 1
        }
        var taken: [Element] = []
        let end = min(elements.count, head + limit)
        taken.reserveCapacity(end - head)
        for position in head..<end {
            if let element = elements[position] { taken.append(element) }
            elements[position] = nil
        }
        head = end
        if head == elements.count {
            elements.removeAll(keepingCapacity: elements.capacity <= 4_096)
            head = 0
        } else if head >= 1_024 && head * 2 >= elements.count {
            // A queue that never runs empty must not grow at its dead end.
            elements.removeFirst(head)
            head = 0
        }
        return taken
    }

    /// How many elements wait to be taken.
    var count: Int {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return elements.count - head
    }

    /// Takes no more elements; those that are there will still be handed out.
    func close() {
        unsafe pthread_mutex_lock(mutex)
        isClosed = true
        unsafe pthread_mutex_unlock(mutex)
        unsafe pthread_cond_broadcast(arrival)
    }
}
