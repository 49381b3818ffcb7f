import Database
import HTTP
import Messaging
import ServiceKit

extension InventoryAPI {
    /// `POST /reservations`: tries to reserve, now or not at all.
    func reserve(_ request: HTTPRequest) async throws -> HTTPResponse {
        _ = try backEnd(of: request)
        try request.checkNoQuery()
        let wish = try request.decode(ReservationForm.self).checked()
        let time = wish.expiresIn.map { $0 * 1000 } ?? room.rules.terms.keep
        let (reservation, isNew) = try await events.write { transaction in
            try refusing(wish.lines) {
                guard try reservations.find(wish.id, of: .order, in: transaction) == nil else {
                    throw Reservation.Refusal.ofOrder
                }
                return try room.reserve(wish.id, wish.lines, for: time, at: now(), in: transaction)
            }
        }
        var response = try HTTPResponse.json(ReservationView(reservation), status: isNew ? 201 : 200)
        if isNew { response.headers["Location"] = "/reservations/\(reservation.id)" }
        return response
    }

    /// `GET /reservations/{id}`: a client's, or an order's.
    func showReservation(_ request: HTTPRequest) async throws -> HTTPResponse {
        _ = try backEnd(of: request)
        try request.checkNoQuery()
        let id = request.parameters["id"] ?? ""
        guard let stored = try await database.read({ try reservations.find(id, in: $0) }) else {
            throw Self.unknownReservation
        }
        return try .json(ReservationView(stored.reservation))
    }

    /// `PUT /reservations/{id}`: confirms; what is reserved leaves the stock.
    func confirm(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = try bareRequest(request)
        let reservation = try await events.write { transaction in
            try refusing { try room.confirm(id, at: now(), in: transaction) }
        }
        guard let reservation else { throw Self.unknownReservation }
        return try .json(ReservationView(reservation))
    }

    /// `DELETE /reservations/{id}`: cancels; where there is nothing yet, what comes late is refused.
    func cancel(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = try bareRequest(request)
        guard ReservationForm.isID(id) else {
            throw Problem.invalidRequest([Problem.Fault(field: "id", detail: ReservationForm.idRule)])
        }
        let reservation = try await events.write { transaction in
            try refusing { try room.cancel(id, at: now(), in: transaction) }
        }
        return try .json(ReservationView(reservation))
    }

    /// The id of a request that has nothing else.
    private func bareRequest(_ request: HTTPRequest) throws -> String {
        _ = try backEnd(of: request)
        try request.checkNoQuery()
        try request.checkNoBody()
        return request.parameters["id"] ?? ""
    }

    /// Says a refusal as a problem.
    private func refusing<Result>(
        _ lines: [Reservation.Line] = [],
        _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch let refusal as Reservation.Refusal {
            throw Self.problem(of: refusal, lines)
        }
    }

    private static func problem(of refusal: Reservation.Refusal, _ lines: [Reservation.Line]) -> Problem {
        switch refusal {
        case .unknown(let skus):
            return .invalidRequest(
                lines.enumerated().filter { skus.contains($0.element.sku) }.map { index, _ in
                    Problem.Fault(field: "lines[\(index)].sku", detail: "is no product")
                }
            )
        case .outOfStock(let skus):
            return Problem(
                .outOfStock,
                detail: "Not enough are free of \(skus.joined(separator: ", ")).",
                faults: lines.enumerated().filter { skus.contains($0.element.sku) }.map { index, line in
                    Problem.Fault(field: "lines[\(index)]", detail: "not enough of \(line.sku) are free")
                }
            )
        case .ended(.released):
            return lines.isEmpty
                ? Problem(.reservationEnded, detail: "The reservation was cancelled.")
                : Problem(.reservationCancelled, detail: "A reservation of this id was cancelled.")
        case .ended:
            return Problem(.reservationEnded, detail: "The reservation was not confirmed in time.")
        case .confirmed:
            return Problem(.reservationConfirmed, detail: "What was reserved has left the stock.")
        case .otherLines:
            return Problem(.reservationContradiction, detail: "The reservation of this id has other lines.")
        case .ofOrder:
            return Problem(.reservationOfOrder, detail: "The reservation is an order's: cancel the order.")
        }
    }

    private static var unknownReservation: Problem { Problem(.notFound, detail: "There is no such reservation.") }
}
