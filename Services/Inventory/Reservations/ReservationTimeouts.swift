import Database
import Events
import Messaging

// Timeouts of this service's own; they are not published.

/// A reservation that is still held has not been confirmed in time.
struct ReservationExpiryDue: Event, Equatable {
    static let type: EventType = "dev.warren.inventory.reservation-expiry-due"
    let reservationID: String
    let owner: Reservation.Owner
    var subject: String { reservationID }
}

/// A reservation has waited for the last pieces as long as it may.
struct ReservationWaitOver: Event, Equatable {
    static let type: EventType = "dev.warren.inventory.reservation-wait-over"
    let reservationID: String
    var subject: String { reservationID }
}

/// More reservations wait for a product than one transaction looks at: it is the next ones' turn.
struct WaitingLineDue: Event, Equatable {
    static let type: EventType = "dev.warren.inventory.waiting-line-due"
    let sku: String
    /// The number of the last one that was looked at.
    let after: Int64
    var subject: String { sku }

    /// Under which key it is scheduled.
    var key: String { "waiting-line:\(sku)" }
}

extension Reservation {
    /// Under which key its deadline is scheduled.
    func key(of kind: Deadline.Kind) -> String {
        switch (owner, kind) {
        case (.order, _): "reservation-\(kind.rawValue):\(id)"
        case (.client, _): "client-reservation-\(kind.rawValue):\(id)"
        }
    }
}

extension Transaction {
    /// Schedules what happens to a reservation by itself from now on, and takes back what would have before.
    func moveDeadline(of reservation: Reservation, from before: Reservation?) throws {
        guard reservation.deadline != before?.deadline else { return }
        if let before, let old = before.deadline, old.kind != reservation.deadline?.kind {
            try cancelScheduled(key: before.key(of: old.kind))
        }
        guard let deadline = reservation.deadline else { return }
        let key = reservation.key(of: deadline.kind)
        switch deadline.kind {
        case .expiry:
            let event = ReservationExpiryDue(reservationID: reservation.id, owner: reservation.owner)
            try schedule(event, at: deadline.at, key: key)
        case .wait:
            try schedule(ReservationWaitOver(reservationID: reservation.id), at: deadline.at, key: key)
        }
    }
}
