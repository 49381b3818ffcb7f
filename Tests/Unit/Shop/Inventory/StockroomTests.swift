import Database
import Events
import HTTP
import ShopEvents
import Testing

@testable import Inventory
@testable import Messaging

@Suite("What orders do to the stock, whatever comes first")
struct StockroomTests {
    @Test("An order is reserved, confirmed and taken out of the stock")
    func straight() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 10)
            try await world.place("o-1", [("TEA", 2), ("TEA", 1)])
            #expect(try await world.shelf("TEA") == [10, 3])
            #expect(try await world.said(of: "o-1") == ["stock.reserved"])
            let timeout = try #require(try await world.timeout("reservation-expiry:o-1"))
            try await world.confirm("o-1")
            #expect(try await world.shelf("TEA") == [7, 0])
            #expect(try await world.said(of: "o-1") == ["stock.reserved", "stock.confirmed"])
            #expect(try await world.timeouts().isEmpty)
            try await world.confirm("o-1")
            try await world.place("o-1", [("TEA", 3)])
            try await world.fireAllTheSame(timeout)
            #expect(try await world.shelf("TEA") == [7, 0])
            #expect(try await world.said(of: "o-1").count == 2, "what is repeated says nothing")
        }
    }

    @Test("What is reserved says until when, and ends then by itself")
    func expiry() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 2)
            try await world.place("o-1", [("TEA", 2)])
            let event = try StockReserved(
                decodingData: try #require(try await world.stored().last { $0.subject == "o-1" }).data
            )
            #expect(event.expiresAt == "2026-01-01T01:00:00.000Z")
            let timeout = try await world.timeout("reservation-expiry:o-1")
            try await world.fire(timeout)
            #expect(try await world.shelf("TEA") == [2, 0])
            #expect(try await world.said(of: "o-1") == ["stock.reserved", "stock.released expired"])
            try await world.fire(timeout)
            try await world.fireAllTheSame(timeout)
            #expect(try await world.said(of: "o-1").count == 2)
        }
    }

    @Test("Reserved, then cancelled or rejected: all is free again, once", arguments: [true, false])
    func reserveCancel(isCancelled: Bool) async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 2)
            try await world.place("o-1", [("TEA", 2)])
            for _ in 1...2 {
                if isCancelled { try await world.cancel("o-1") } else { try await world.reject("o-1") }
                #expect(try await world.shelf("TEA") == [2, 0])
            }
            #expect(try await world.said(of: "o-1") == ["stock.reserved", "stock.released order-ended"])
            try await world.place("o-1", [("TEA", 2)])
            try await world.confirm("o-1")
            #expect(try await world.shelf("TEA") == [2, 0])
            #expect(try await world.said(of: "o-1").count == 2)
        }
    }

    @Test("Cancelled, then reserved: the tombstone refuses, and nothing is held", arguments: [true, false])
    func cancelReserve(isCancelled: Bool) async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 2)
            for _ in 1...2 { if isCancelled { try await world.cancel("o-1") } else { try await world.reject("o-1") } }
            #expect(try await world.said(of: "o-1").isEmpty)
            try await world.place("o-1", [("TEA", 2)])
            #expect(try await world.said(of: "o-1") == ["stock.rejected order-ended"])
            try await world.confirm("o-1")
            #expect(try await world.shelf("TEA") == [2, 0])
            #expect(try await world.state("o-1") == .released)
            #expect(try await world.timeouts().isEmpty)
        }
    }

    @Test("Expired, then confirmed: taken all the same where it is still free")
    func expireConfirmFree() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 2)
            try await world.place("o-1", [("TEA", 2)])
            try await world.fire(try await world.timeout("reservation-expiry:o-1"))
            for _ in 1...2 { try await world.confirm("o-1") }
            #expect(try await world.shelf("TEA") == [0, 0])
            #expect(
                try await world.said(of: "o-1") == ["stock.reserved", "stock.released expired", "stock.confirmed"]
            )
        }
    }

    @Test("Expired, then confirmed: rejected where another has got it, and nothing of the other's is taken")
    func expireConfirmGone() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 2)
            try await world.stock("CUP", 9)
            try await world.place("o-1", [("CUP", 1), ("TEA", 2)])
            try await world.fire(try await world.timeout("reservation-expiry:o-1"))
            try await world.place("o-2", [("TEA", 1)])
            for _ in 1...2 { try await world.confirm("o-1") }
            #expect(try await world.shelf("TEA") == [2, 1])
            #expect(try await world.shelf("CUP") == [9, 0])
            let said = try await world.said(of: "o-1")
            #expect(said == ["stock.reserved", "stock.released expired", "stock.rejected reservation-expired"])
            let last = try #require(try await world.stored().last { $0.subject == "o-1" })
            #expect(try StockRejected(decodingData: last.data).skus == ["TEA"])
            try await world.cancel("o-1")
            #expect(try await world.said(of: "o-1").count == 3, "the cancel that Order answers with undoes nothing")
        }
    }

    @Test("Confirmed, then cancelled: the pieces are back, once, as a movement")
    func confirmCancel() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 3)
            try await world.place("o-1", [("TEA", 2)])
            try await world.confirm("o-1")
            for _ in 1...2 { try await world.cancel("o-1") }
            try await world.confirm("o-1")
            #expect(try await world.shelf("TEA") == [3, 0])
            #expect(
                try await world.said(of: "o-1") == ["stock.reserved", "stock.confirmed", "stock.released order-ended"]
            )
            let movements = try await world.database.read { transaction in
                try transaction.query("SELECT kind, change, reference FROM stock_movements ORDER BY number").map {
                    "\(try $0["kind"] as String) \(try $0["change"] as Int) \(try $0["reference"] as String? ?? "-")"
                }
            }
            #expect(movements == ["adjusted 3 -", "confirmed -2 o-1", "returned 2 o-1"])
        }
    }

    @Test("Some lines are cancelled once they are taken: those pieces are back, once, and then the others")
    func linesCancelled() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 10)
            try await world.stock("CUP", 4)
            try await world.place("o-1", [("TEA", 3), ("CUP", 2), ("TEA", 1)])
            try await world.cancelLines("o-1", [("TEA", 1)])
            #expect(try await world.shelf("TEA") == [10, 4], "nothing was taken yet")
            try await world.confirm("o-1")
            try await world.cancelLines("o-1", [("TEA", 2), ("CUP", 2), ("TEA", 1), ("POT", 1)])
            #expect(try await world.shelf("TEA") == [9, 0])
            #expect(try await world.shelf("CUP") == [4, 0])
            #expect(try await world.said(of: "o-1").count == 2, "nobody hears of it but by the level")
            try await world.cancelLines("o-1", [("TEA", 5), ("CUP", 1)])
            #expect(try await world.shelf("TEA") == [10, 0], "no more than was taken")
            #expect(try await world.shelf("CUP") == [4, 0])
            try await world.cancel("o-1")
            try await world.cancelLines("o-1", [("TEA", 1)])
            #expect(try await world.shelf("TEA") == [10, 0])
            #expect(try await world.said(of: "o-1").last == "stock.released order-ended")
            try await world.cancelLines("o-2", [("TEA", 1)])
            #expect(try await world.shelf("TEA") == [10, 0], "an order of which nothing is known")
        }
    }

    @Test("Some lines are cancelled: who waits for such pieces gets them")
    func linesCancelledForOthers() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 3)
            try await world.place("o-1", [("TEA", 2)])
            try await world.confirm("o-1")
            try await world.place("o-0", [("TEA", 1)])
            try await world.place("o-2", [("TEA", 1)])
            try await world.cancelLines("o-1", [("TEA", 1)])
            #expect(try await world.said(of: "o-2") == ["stock.reserved"])
        }
    }

    @Test("Expired, then cancelled; cancelled, then expired: nothing is given back twice")
    func expireCancel() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 4)
            try await world.place("o-1", [("TEA", 2)])
            try await world.place("o-2", [("TEA", 2)])
            try await world.fire(try await world.timeout("reservation-expiry:o-1"))
            try await world.cancel("o-1")
            let late = try await world.timeout("reservation-expiry:o-2")
            try await world.cancel("o-2")
            try await world.fire(late)
            try await world.fireAllTheSame(late)
            #expect(try await world.shelf("TEA") == [4, 0])
            #expect(try await world.said(of: "o-1") == ["stock.reserved", "stock.released expired"])
            #expect(try await world.said(of: "o-2") == ["stock.reserved", "stock.released order-ended"])
        }
    }

    @Test("Two orders want the last piece: one gets it, the other waits and gets it when it is given back")
    func lastPieceFreed() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 1)
            try await world.place("o-1", [("TEA", 1)])
            try await world.place("o-2", [("TEA", 1)])
            #expect(try await world.said(of: "o-2").isEmpty, "others may give it back: nothing is said yet")
            let wait = try #require(try await world.timeout("reservation-wait:o-2"))
            try await world.cancel("o-1")
            #expect(try await world.said(of: "o-2") == ["stock.reserved"])
            #expect(try await world.shelf("TEA") == [1, 1])
            try await world.fire(wait)
            try await world.fireAllTheSame(wait)
            #expect(try await world.said(of: "o-2") == ["stock.reserved"], "the wait had ended")
            try await world.confirm("o-2")
            #expect(try await world.shelf("TEA") == [0, 0])
        }
    }

    @Test("Two orders want the last piece: the other is refused when it has waited long enough, and gets nothing later")
    func lastPieceLocked() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 1)
            try await world.place("o-1", [("TEA", 1)])
            try await world.place("o-2", [("TEA", 1)])
            let wait = try await world.timeout("reservation-wait:o-2")
            for _ in 1...2 { try await world.fire(wait) }
            #expect(try await world.said(of: "o-2") == ["stock.rejected stock-locked"])
            try await world.cancel("o-1")
            #expect(try await world.said(of: "o-2").count == 1)
            #expect(try await world.shelf("TEA") == [1, 0])
            try await world.reject("o-2")
            #expect(try await world.said(of: "o-2").count == 1, "Order's answer undoes nothing")
        }
    }

    @Test("Two orders want the last piece: the other is refused at once when it is confirmed away")
    func lastPieceTaken() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 1)
            try await world.place("o-1", [("TEA", 1)])
            try await world.place("o-2", [("TEA", 1)])
            try await world.confirm("o-1")
            #expect(try await world.said(of: "o-2") == ["stock.rejected out-of-stock"])
            #expect(try await world.timeouts().isEmpty)
            try await world.place("o-3", [("TEA", 1)])
            #expect(try await world.said(of: "o-3") == ["stock.rejected out-of-stock"], "nothing is left to wait for")
        }
    }

    @Test("A waiting order that is cancelled gets nothing that is freed later")
    func waitCancel() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 1)
            try await world.place("o-1", [("TEA", 1)])
            try await world.place("o-2", [("TEA", 1)])
            let wait = try await world.timeout("reservation-wait:o-2")
            try await world.cancel("o-2")
            #expect(try await world.said(of: "o-2") == ["stock.released order-ended"])
            try await world.cancel("o-1")
            try await world.fireAllTheSame(wait)
            #expect(try await world.said(of: "o-2").count == 1)
            #expect(try await world.shelf("TEA") == [1, 0])
        }
    }

    @Test("Those that wait are served oldest first, by whatever frees stock, and one that does not fit is passed over")
    func oldestFirst() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 3)
            try await world.stock("CUP", 1)
            try await world.place("o-1", [("TEA", 3), ("CUP", 1)])
            try await world.place("o-2", [("TEA", 2), ("CUP", 1)])
            try await world.place("o-3", [("TEA", 2)])
            try await world.place("o-4", [("TEA", 1)])
            try await world.fire(try await world.timeout("reservation-expiry:o-1"))
            #expect(try await world.state("o-2") == .held)
            #expect(try await world.state("o-3") == .waiting)
            #expect(try await world.state("o-4") == .held)
            #expect(await world.send("POST", "/products/TEA/stock", body: #"{"change": 2}"#).status == 200)
            #expect(try await world.state("o-3") == .held)
            #expect(try await world.shelf("TEA") == [5, 5])
        }
    }

    @Test("The oldest is served first whichever of the freed products it waits for")
    func oldestOfAllLines() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 1)
            try await world.stock("CUP", 1)
            try await world.place("o-1", [("TEA", 1), ("CUP", 1)])
            try await world.place("o-2", [("CUP", 1)])
            try await world.place("o-3", [("TEA", 1), ("CUP", 1)])
            try await world.place("o-4", [("TEA", 1)])
            try await world.cancel("o-1")
            #expect(try await world.state("o-2") == .held)
            #expect(try await world.state("o-3") == .waiting)
            #expect(try await world.state("o-4") == .held)
        }
    }

    @Test("A waiting order is refused when what it waits for is written off")
    func writtenOff() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 3)
            try await world.place("o-1", [("TEA", 1)])
            try await world.place("o-2", [("TEA", 3)])
            #expect(try await world.state("o-2") == .waiting)
            #expect(await world.send("POST", "/products/TEA/stock", body: #"{"change": -1}"#).status == 200)
            #expect(try await world.said(of: "o-2") == ["stock.rejected out-of-stock"])
        }
    }

    @Test("A long line is served in slices, none of which forgets anybody")
    func slices() async throws {
        try await InventoryWorld.with(waitingAtOnce: 3) { world in
            try await world.stock("TEA", 10)
            await world.reserve("c-1", [("TEA", 10)])
            for number in 10..<20 { try await world.place("o-\(number)", [("TEA", 1)]) }
            await world.send("DELETE", "/reservations/c-1")
            var slices = 1
            while let next = try await world.timeout("waiting-line:TEA") {
                #expect(try await world.shelf("TEA") == [10, 3 * slices])
                try await world.fire(next)
                slices += 1
                guard slices < 10 else { break }
            }
            #expect(slices == 4)
            #expect(try await world.shelf("TEA") == [10, 10])
            for number in 20..<30 { try await world.place("o-\(number)", [("TEA", 1)]) }
            for number in 10..<20 { try await world.confirm("o-\(number)") }
            slices = 1
            while let next = try await world.timeout("waiting-line:TEA") {
                try await world.fire(next)
                slices += 1
                guard slices < 10 else { break }
            }
            #expect(slices == 4)
            for number in 20..<30 {
                #expect(try await world.said(of: "o-\(number)") == ["stock.rejected out-of-stock"])
            }
        }
    }

    @Test("An order for what is no product is refused by its names")
    func unknownProduct() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 1)
            try await world.place("o-1", [("TEA", 1), ("POT", 1)])
            let event = try #require(try await world.stored().last)
            let expected = StockRejected(orderID: "o-1", reason: "unknown-product", skus: ["POT"])
            #expect(try StockRejected(decodingData: event.data) == expected)
            #expect(try await world.shelf("TEA") == [1, 0])
        }
    }

    @Test("A confirmed order that Inventory never saw is a warning and nothing else")
    func unknownOrder() async throws {
        try await InventoryWorld.with { world in
            try await world.confirm("o-1")
            #expect(try await world.state("o-1") == nil)
            #expect(try await world.stored().isEmpty)
            #expect(world.logs.messages == ["A confirmed order has no reservation"])
        }
    }

    @Test("The level is said when it changes, and not for each piece")
    func levels() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 0)
            #expect(try await world.said(of: "TEA") == ["product.listed"])
            try await world.stock("TEA", 7)
            try await world.place("o-1", [("TEA", 1)])
            try await world.place("o-2", [("TEA", 1)])
            try await world.place("o-3", [("TEA", 5)])
            try await world.place("o-4", [("TEA", 1)])
            try await world.cancel("o-1")
            #expect(try await world.state("o-4") == .held, "it had waited")
            try await world.cancel("o-3")
            let levels = ["plenty", "low", "out", "low"].map { "stock.changed \($0)" }
            #expect(try await world.said(of: "TEA") == ["product.listed"] + levels)
        }
    }

    @Test("Whatever comes in whatever order, the books are right", arguments: 1...12)
    func anything(seed: UInt64) async throws {
        var random = SplitMix(state: seed)
        let steps = (0..<120).map { _ in (random.next(), random.next(), random.next()) }
        try await InventoryWorld.with(waitingAtOnce: 2) { world in
            for sku in ["TEA", "CUP"] { try await world.stock(sku, 3) }
            for (step, first, second) in steps {
                let order = "o-\(first % 5)-\(second % 3)"
                switch step % 10 {
                case 0, 1, 2: try await world.place(order, [("TEA", Int(first % 3) + 1), ("CUP", Int(second % 2) + 1)])
                case 3: try await world.confirm(order)
                case 4: try await world.cancel(order)
                case 5: await world.reserve("c-\(first % 4)", [("TEA", 1)])
                case 6: await world.send(first % 2 == 0 ? "PUT" : "DELETE", "/reservations/c-\(second % 4)")
                case 7:
                    let change = Int(second % 5) - 2
                    await world.send("POST", "/products/TEA/stock", body: #"{"change": \#(change)}"#)
                default:
                    let waiting = try await world.timeouts()
                    guard !waiting.isEmpty else { continue }
                    try await world.fire(waiting[Int(first % UInt64(waiting.count))])
                }
                #expect(try await world.faultsOfBooks() == [])
            }
        }
    }
}

/// Numbers that a seed repeats (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
