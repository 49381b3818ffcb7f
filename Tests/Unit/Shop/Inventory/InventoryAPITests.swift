import Database
import Events
import HTTP
import JSON
import ShopEvents
import Telemetry
import TestSupport
import Testing

@testable import Inventory
@testable import Messaging

extension HTTPResponse {
    fileprivate var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
    fileprivate var faults: [String] { json["errors"].elements.compactMap { $0["field"]?.text } }
    fileprivate var problem: String? { json["type"]?.text?.split(separator: "/").last.map(String.init) }
}

@Suite("Products over HTTP")
struct ProductAPITests {
    static let tea = #"{"name": "Sencha green tea", "price": {"amount": 650, "currency": "EUR"}}"#

    @Test("A product is listed once, and what changes of it is said, no more")
    func put() async throws {
        try await InventoryWorld.with { world in
            let first = await world.send("PUT", "/products/TEA-500", body: Self.tea)
            #expect(first.status == 201)
            #expect(first.headers["Location"] == "/products/TEA-500")
            world.clock.advance(milliseconds: 1_000)
            let again = await world.send("PUT", "/products/TEA-500", body: Self.tea)
            #expect(again.status == 200)
            #expect(again.headers["Location"] == nil)
            #expect(again.body == first.body, "nothing has changed, not even the time")
            let dearer = Self.tea.replacing("650", with: "700")
            #expect(await world.send("PUT", "/products/TEA-500", body: dearer).status == 200)
            #expect(await world.send("PUT", "/products/TEA-500", body: dearer).status == 200)
            let renamed = dearer.replacing("green", with: "GREEN").replacing("700", with: "710")
            #expect(await world.send("PUT", "/products/TEA-500", body: renamed).status == 200)
            let said = try await world.said(of: "TEA-500")
            #expect(said == ["product.listed", "product.price-changed", "product.listed"])
            let last = try ProductListed(decodingData: try #require(try await world.stored().last).data)
            let price = Money(amount: 710, currency: "EUR")
            #expect(last == ProductListed(sku: "TEA-500", name: "Sencha GREEN tea", price: price))
            let changed = try ProductPriceChanged(decodingData: try await world.stored()[1].data)
            #expect(changed.price == Money(amount: 700, currency: "EUR"))
            let shown = await world.send("GET", "/products/TEA-500").json
            #expect(shown["name"]?.text == "Sencha GREEN tea")
            #expect(shown["updatedAt"]?.text == "2026-01-01T00:00:01.000Z")
        }
    }

    @Test("Another currency alone is another price")
    func currency() async throws {
        try await InventoryWorld.with { world in
            await world.send("PUT", "/products/TEA", body: Self.tea)
            await world.send("PUT", "/products/TEA", body: Self.tea.replacing("EUR", with: "KRW"))
            let said = try await world.said(of: "TEA")
            #expect(said == ["product.listed", "product.price-changed"])
        }
    }

    @Test("Bad input names each field")
    func faults() async throws {
        try await InventoryWorld.with { world in
            let body = #"{"name": " ", "price": {"amount": -1, "currency": "XXX", "tax": 1}, "colour": "green"}"#
            let product = await world.send("PUT", "/products/a%20b", body: body)
            #expect(product.status == 422)
            #expect(Set(product.faults) == ["sku", "colour", "name", "price.tax", "price.amount", "price.currency"])
            try await world.stock("TEA", 1)
            let movement = await world.send(
                "POST",
                "/products/TEA/stock",
                body: #"{"change": 0, "reason": "", "by": 1}"#
            )
            #expect(Set(movement.faults) == ["change", "reason", "by"])
            let lines = #"[{"sku": "a b", "quantity": 0}, {"quantity": 1, "price": 1}, 7]"#
            let reservation = await world.send(
                "POST",
                "/reservations",
                body: #"{"id": "a/b", "lines": \#(lines), "expiresIn": 0, "who": "me"}"#
            )
            let expected: Set = [
                "id", "lines[0].sku", "lines[0].quantity", "lines[1].sku", "lines[1].price", "lines[2]", "expiresIn",
                "who",
            ]
            #expect(Set(reservation.faults) == expected)
            let query = [("limit", "0"), ("after", "a b"), ("colour", "green"), ("query", "tea"), ("query", "cup")]
            #expect(
                Set(await world.send("GET", "/products", query: query).faults) == ["limit", "after", "colour", "query"]
            )
            let words = [("query", "a b c d e f g h i j k")]
            #expect(await world.send("GET", "/products", query: words).faults == ["query"])
            let unknown =
                #"{"id": "r", "lines": [{"sku": "POT", "quantity": 1}, {"sku": "TEA", "quantity": 1}, {"sku": "CUP", "quantity": 1}]}"#
            let answer = await world.send("POST", "/reservations", body: unknown)
            #expect(answer.status == 422)
            #expect(answer.faults == ["lines[0].sku", "lines[2].sku"])
            #expect(await world.send("DELETE", "/reservations/a%20b").faults == ["id"])
            #expect(try await world.state("r") == nil)
        }
    }

    @Test("Customers may read products, and nothing else")
    func roles() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 1)
            let customer = Caller(.customer, "ada")
            for route in InventoryAPI.routes {
                let path = route.pattern.replacing("{sku}", with: "TEA").replacing("{id}", with: "r-1")
                let answer = await world.send(route.method, path, by: customer)
                let isOpen = route.method == "GET" && path.hasPrefix("/products")
                #expect(answer.status == (isOpen ? 200 : 403), "\(route.method) \(path)")
                #expect(isOpen || answer.problem == "role-not-allowed")
                #expect(await world.send(route.method, path, by: nil).status == 401)
            }
        }
    }

    @Test("Products are found by the beginnings of their words, all of them")
    func search() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA-500", 0, name: "Sencha green tea")
            try await world.stock("TEA-100", 0, name: "Earl Grey, black")
            try await world.stock("CUP-1", 0, name: "Tea cup (GREEN)")
            try await world.stock("NOK-1", 0, name: "녹차 500g")
            func found(_ query: String) async -> [String] {
                let answer = await world.send("GET", "/products", query: [("query", query)])
                return answer.json["products"].elements.compactMap { $0["sku"]?.text }
            }
            #expect(await found("tea") == ["CUP-1", "TEA-100", "TEA-500"])
            #expect(await found("GREEN te") == ["CUP-1", "TEA-500"])
            #expect(await found("tea-500") == ["TEA-500"])
            #expect(await found("50") == ["NOK-1", "TEA-500"])
            #expect(await found("녹") == ["NOK-1"])
            #expect(await found("encha") == [], "a word is found by its beginning")
            #expect(await found("tea pot") == [])
            #expect(await found("%").count == 4, "no word is looked for")
            try await world.stock("CUP-1", 0, name: "Mug")
            #expect(await found("green") == ["TEA-500"], "the former name finds nothing")
            #expect(await found("mug") == ["CUP-1"])
        }
    }

    @Test("A listing comes in pages, each product once, and says where the next one is")
    func pages() async throws {
        try await InventoryWorld.with { world in
            for number in 10..<15 { try await world.stock("TEA-\(number)", 0, name: "Green tea") }
            try await world.stock("CUP", 0)
            var seen: [String] = []
            var next = "A"
            for page in 1...3 {
                let query = [("query", "green tea"), ("limit", "2"), ("after", next)]
                let answer = await world.send("GET", "/products", query: query)
                seen += answer.json["products"].elements.compactMap { $0["sku"]?.text }
                guard let following = answer.json["next"]?.text else {
                    #expect(page == 3)
                    #expect(String(decoding: answer.body, as: UTF8.self).contains(#""next":null"#))
                    #expect(answer.headers["Link"] == nil)
                    break
                }
                next = following
                let path = "/products?query=green%20tea&after=\(next)&limit=2"
                #expect(answer.headers["Link"] == "<\(path)>; rel=\"next\"")
            }
            #expect(seen == (10..<15).map { "TEA-\($0)" })
            #expect(await world.send("GET", "/products").json["products"].elements.count == 6)
        }
    }

    @Test("A movement under a key is made once, and its answer comes again")
    func movementKeys() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 2)
            try await world.stock("CUP", 0)
            let body = #"{"change": 5, "reason": "delivery"}"#
            let first = await world.send("POST", "/products/TEA/stock", key: "k", body: body)
            #expect(first.status == 200)
            #expect(first.json["onHand"] == 7)
            #expect(first.headers["Idempotency-Replayed"] == nil)
            try await world.place("o-1", [("TEA", 1)])
            let again = await world.send("POST", "/products/TEA/stock", key: "\"k\"", body: body)
            #expect(again.status == 200)
            #expect(again.body == first.body)
            #expect(again.headers["Idempotency-Replayed"] == "true")
            #expect(try await world.shelf("TEA") == [7, 1])
            let others = [
                ("/products/TEA/stock", #"{"change": 6, "reason": "delivery"}"#),
                ("/products/TEA/stock", #"{"change": 5}"#),
                ("/products/CUP/stock", body),
            ]
            for (path, body) in others {
                let answer = await world.send("POST", path, key: "k", body: body)
                #expect(answer.status == 422)
                #expect(answer.problem == "idempotency-key-reused")
            }
            let shop = Caller(.backEnd, "shop")
            #expect(
                await world.send("POST", "/products/TEA/stock", key: "k", body: body, by: shop).json["onHand"] == 12
            )
            #expect(await world.send("POST", "/products/TEA/stock", body: body).json["onHand"] == 17)
            #expect(try await world.shelf("CUP") == [0, 0])
        }
    }

    @Test("What is reserved is not taken away, and the answer says how many are free")
    func reservedStays() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 5)
            try await world.place("o-1", [("TEA", 3)])
            let answer = await world.send("POST", "/products/TEA/stock", key: "k", body: #"{"change": -3}"#)
            #expect(answer.status == 409)
            #expect(answer.problem == "stock-reserved")
            #expect(answer.json["detail"]?.text?.contains("2 are free") == true)
            #expect(try await world.shelf("TEA") == [5, 3])
            try await world.cancel("o-1")
            let again = await world.send("POST", "/products/TEA/stock", key: "k", body: #"{"change": -3}"#)
            #expect(again.status == 200, "a refused movement is none: its key is free")
            #expect(again.headers["Idempotency-Replayed"] == nil)
            #expect(await world.send("POST", "/products/TEA/stock", body: #"{"change": -3}"#).status == 409)
            #expect(await world.send("POST", "/products/POT/stock", body: #"{"change": 1}"#).status == 404)
            #expect(await world.send("GET", "/products/POT").status == 404)
        }
    }

    @Test("The answer to a movement says what is left when those that waited are served")
    func movementServesWaiting() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 1)
            try await world.place("o-1", [("TEA", 1)])
            try await world.place("o-2", [("TEA", 1)])
            world.clock.advance(milliseconds: 5_000)
            let answer = await world.send("POST", "/products/TEA/stock", key: "k", body: #"{"change": 3}"#)
            #expect(answer.json["updatedAt"]?.text == "2026-01-01T00:00:05.000Z")
            #expect(await world.send("GET", "/products/TEA").body == answer.body)
            #expect(answer.json["onHand"] == 4)
            #expect(answer.json["reserved"] == 2)
            #expect(answer.json["available"] == 2)
            #expect(answer.json["level"]?.text == "low")
        }
    }

    @Test("The table itself refuses more reserved than there is")
    func constraint() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 1)
            for values in ["reserved = 2", "reserved = -1", "on_hand = -1"] {
                await #expect(throws: (any Error).self) {
                    try await world.database.write { transaction in
                        try transaction.execute("UPDATE products SET \(values)")
                    }
                }
            }
        }
    }

    @Test("Each product is listed again when it has been silent for long enough, in batches, and not before")
    func relisting() async throws {
        try await InventoryWorld.with { world in
            let relisting = Relisting(
                events: world.events,
                interval: .seconds(60),
                logger: .silent,
                now: { world.clock.read() }
            )
            for number in 0..<(Relisting.atOnce + 5) { try await world.stock("TEA-\(number)", 0) }
            world.clock.advance(milliseconds: 59_999)
            #expect(try await relisting.pass() == 0)
            try await world.stock("TEA-1", 0, name: "Another name")
            world.clock.advance(milliseconds: 1)
            #expect(try await relisting.pass() == Relisting.atOnce + 4, "all but the one that was named anew")
            #expect(try await world.said(of: "TEA-0") == ["product.listed", "product.listed"])
            #expect(try await world.said(of: "TEA-1") == ["product.listed", "product.listed"])
            #expect(try await relisting.pass() == 0)
            world.clock.advance(milliseconds: 59_999)
            #expect(try await relisting.pass() == 1)
        }
    }
}

@Suite("Reservations over HTTP")
struct ReservationAPITests {
    @Test("Try, confirm: what is reserved leaves the stock once, however often it is asked")
    func confirm() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 5)
            let body =
                #"{"id": "r-1", "lines": [{"sku": "TEA", "quantity": 1}, {"sku": "TEA", "quantity": 1}], "expiresIn": 60}"#
            let first = await world.send("POST", "/reservations", body: body)
            #expect(first.status == 201)
            #expect(first.headers["Location"] == "/reservations/r-1")
            #expect(first.json["lines"] == [["sku": "TEA", "quantity": 2]])
            #expect(first.json["expiresAt"]?.text == "2026-01-01T00:01:00.000Z")
            #expect(first.json["orderID"] == nil)
            let same = body.replacing(
                #"{"sku": "TEA", "quantity": 1}, {"sku": "TEA", "quantity": 1}"#,
                with: #"{"sku": "TEA", "quantity": 2}"#
            )
            let again = await world.send("POST", "/reservations", body: same)
            #expect(again.status == 200)
            #expect(again.body == first.body)
            #expect(try await world.shelf("TEA") == [5, 2])
            let timeout = try await world.timeout("client-reservation-expiry:r-1")
            for _ in 1...2 {
                let confirmed = await world.send("PUT", "/reservations/r-1")
                #expect(confirmed.status == 200)
                #expect(confirmed.json["state"]?.text == "confirmed")
                #expect(try await world.shelf("TEA") == [3, 0])
            }
            try await world.fireAllTheSame(timeout)
            let late = await world.send("DELETE", "/reservations/r-1")
            #expect(late.status == 409)
            #expect(late.problem == "reservation-confirmed")
            #expect(await world.send("POST", "/reservations", body: body).json["state"]?.text == "confirmed")
            #expect(try await world.shelf("TEA") == [3, 0])
            #expect(try await world.said(of: "r-1").isEmpty, "it is no order: nobody hears of it")
        }
    }

    @Test("Try, cancel: all is free again once, and the id is spent")
    func cancel() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 5)
            #expect(await world.reserve("r-1", [("TEA", 2)]) == 201)
            let timeout = try await world.timeout("client-reservation-expiry:r-1")
            for _ in 1...2 {
                let answer = await world.send("DELETE", "/reservations/r-1")
                #expect(answer.status == 200)
                #expect(answer.json["state"]?.text == "released")
                #expect(answer.json["reason"]?.text == "cancelled")
                #expect(try await world.shelf("TEA") == [5, 0])
            }
            try await world.fireAllTheSame(timeout)
            #expect(await world.send("PUT", "/reservations/r-1").problem == "reservation-ended")
            #expect(await world.reserve("r-1", [("TEA", 2)]) == 409)
            #expect(try await world.shelf("TEA") == [5, 0])
        }
    }

    @Test("Cancel, try: a tombstone refuses what comes late, and is shown")
    func tombstone() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 5)
            for _ in 1...2 { #expect(await world.send("DELETE", "/reservations/r-1").status == 200) }
            let body = #"{"id": "r-1", "lines": [{"sku": "TEA", "quantity": 1}]}"#
            let answer = await world.send("POST", "/reservations", body: body)
            #expect(answer.status == 409)
            #expect(answer.problem == "reservation-cancelled")
            let shown = await world.send("GET", "/reservations/r-1")
            #expect(shown.json["state"]?.text == "released")
            #expect(shown.json["lines"] == [])
            #expect(try await world.shelf("TEA") == [5, 0])
        }
    }

    @Test("Expire, confirm: it has ended, and nothing is taken")
    func expire() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 5)
            await world.reserve("r-1", [("TEA", 2)])
            let timeout = try await world.timeout("client-reservation-expiry:r-1")
            for _ in 1...2 { try await world.fire(timeout) }
            #expect(try await world.shelf("TEA") == [5, 0])
            let answer = await world.send("PUT", "/reservations/r-1")
            #expect(answer.status == 409)
            #expect(answer.problem == "reservation-ended")
            #expect(await world.send("DELETE", "/reservations/r-1").json["state"]?.text == "expired")
            #expect(await world.reserve("r-1", [("TEA", 2)]) == 200, "the same try is answered as it stands")
            #expect(try await world.shelf("TEA") == [5, 0])
        }
    }

    @Test("The same id with other lines is a contradiction")
    func contradiction() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 5)
            try await world.stock("CUP", 5)
            await world.reserve("r-1", [("TEA", 2), ("CUP", 1)])
            #expect(
                await world.reserve("r-1", [("CUP", 1), ("TEA", 1), ("TEA", 1)]) == 200,
                "the same in another order"
            )
            for lines in [[("TEA", 2)], [("TEA", 1), ("CUP", 1)], [("TEA", 2), ("CUP", 1), ("POT", 1)]] {
                #expect(await world.reserve("r-1", lines) == 409)
            }
            let body = #"{"id": "r-1", "lines": [{"sku": "TEA", "quantity": 1}]}"#
            #expect(await world.send("POST", "/reservations", body: body).problem == "reservation-contradiction")
            #expect(try await world.shelf("TEA") == [5, 2])
        }
    }

    @Test("A refused try names what is short, leaves nothing behind, and may come again")
    func refused() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 5)
            try await world.stock("CUP", 1)
            await world.reserve("r-1", [("CUP", 1)])
            let body = #"{"id": "r-2", "lines": [{"sku": "TEA", "quantity": 1}, {"sku": "CUP", "quantity": 1}]}"#
            let answer = await world.send("POST", "/reservations", body: body)
            #expect(answer.status == 409)
            #expect(answer.problem == "out-of-stock")
            #expect(answer.faults == ["lines[1]"])
            #expect(answer.json["detail"]?.text == "Not enough are free of CUP.")
            #expect(await world.send("GET", "/reservations/r-2").status == 404)
            #expect(await world.send("PUT", "/reservations/r-2").status == 404)
            #expect(try await world.shelf("TEA") == [5, 0])
            await world.send("DELETE", "/reservations/r-1")
            #expect(await world.send("POST", "/reservations", body: body).status == 201)
        }
    }

    @Test("An order's reservation can be read, and is the order's alone")
    func orders() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 5)
            try await world.place("o-1", [("TEA", 2)])
            let shown = await world.send("GET", "/reservations/o-1")
            #expect(shown.json["orderID"]?.text == "o-1")
            #expect(shown.json["state"]?.text == "held")
            for method in ["PUT", "DELETE"] {
                let answer = await world.send(method, "/reservations/o-1")
                #expect(answer.status == 409)
                #expect(answer.problem == "reservation-of-order")
            }
            #expect(await world.reserve("o-1", [("TEA", 2)]) == 409)
            #expect(try await world.shelf("TEA") == [5, 2])
        }
    }

    @Test("No client can take or spend the id of an order")
    func squatters() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 5)
            await world.reserve("o-1", [("TEA", 1)])
            await world.send("DELETE", "/reservations/o-2")
            for order in ["o-1", "o-2"] {
                try await world.place(order, [("TEA", 2)])
                #expect(try await world.said(of: order) == ["stock.reserved"])
                #expect(await world.send("GET", "/reservations/\(order)").json["orderID"]?.text == order)
            }
            #expect(try await world.shelf("TEA") == [5, 5])
            try await world.fire(try await world.timeout("client-reservation-expiry:o-1"))
            #expect(try await world.shelf("TEA") == [5, 4])
            #expect(try await world.state("o-1") == .held)
        }
    }

    @Test("Two hundred tries at once for a hundred pieces: exactly a hundred get one")
    func lastPieces() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 100)
            let statuses = await withTaskGroup(of: Int.self) { group in
                for number in 0..<200 { group.addTask { await world.reserve("r-\(number)", [("TEA", 1)]) } }
                return await group.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
            }
            #expect(statuses == [201: 100, 409: 100])
            #expect(try await world.shelf("TEA") == [100, 100])
        }
    }

    @Test("The same try two hundred times at once is one reservation")
    func sameTry() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 100)
            let statuses = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<200 { group.addTask { await world.reserve("r", [("TEA", 1)]) } }
                return await group.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
            }
            #expect(statuses == [201: 1, 200: 199])
            #expect(try await world.shelf("TEA") == [100, 1])
        }
    }

    @Test("Orders wait for what clients hold, and clients wait for nobody")
    func clientsAndOrders() async throws {
        try await InventoryWorld.with { world in
            try await world.stock("TEA", 1)
            await world.reserve("r-1", [("TEA", 1)])
            try await world.place("o-1", [("TEA", 1)])
            #expect(try await world.state("o-1") == .waiting)
            await world.send("DELETE", "/reservations/r-1")
            #expect(try await world.said(of: "o-1") == ["stock.reserved"])
            #expect(await world.reserve("r-2", [("TEA", 1)]) == 409)
            #expect(try await world.said(of: "TEA") == ["product.listed", "stock.changed low", "stock.changed out"])
        }
    }
}
