/// The provider as a value: intents, refunds, idempotency keys and planned faults.
///
/// It does no I/O and knows no clock: each call is given the time in milliseconds since 1970, and says what is answered
/// and how the answer travels. Slow work is settled by time, so that nothing has to come back later to finish it.
struct ProviderState: Sendable {
    /// Where the ids of this provider come from; another one after each reset.
    private let series: String
    private var counter = 0
    private var intents: [PaymentIntent] = []
    private var intentIndex: [String: Int] = [:]
    private var intentsOfOrder: [String: [Int]] = [:]
    private var refunds: [Refund] = []
    private var refundIndex: [String: Int] = [:]
    private var refundsOfIntent: [String: [Int]] = [:]
    private var keys = IdempotencyTable()
    private var faults = FaultPlan()

    /// An empty provider.
    /// - Parameter series: distinguishes its ids from those of other runs; letters and digits.
    init(series: String) {
        self.series = series
    }

    // MARK: The provider's calls

    /// `POST /v1/payment_intents`: makes an intent and, with `confirm=true`, charges it.
    mutating func createIntent(_ form: [String: String], key: String?, at now: Int64) -> ProviderReply {
        once(key, "/v1/payment_intents", form, at: now) { state in
            let request = try IntentRequest(form)
            guard request.confirms, let method = request.paymentMethod else {
                return .done(.intent(state.add(request, at: now)))
            }
            let order = request.metadata["order_id"] ?? ""
            return try state.work(under: state.faults.next(charging: method, order: order), at: now) { state, delay in
                state.charge(state.add(request, at: now), delay: delay, at: now)
            }
        }
    }

    /// `POST /v1/payment_intents/{id}/confirm`: charges an intent that has not been charged.
    mutating func confirmIntent(
        _ id: String,
        _ form: [String: String],
        key: String?,
        at now: Int64
    ) -> ProviderReply {
        once(key, "/v1/payment_intents/\(id)/confirm", form, at: now) { state in
            let request = try ConfirmRequest(form)
            var intent = try state.existingIntent(id, at: now)
            guard [.requiresConfirmation, .requiresPaymentMethod].contains(intent.status) else {
                throw ProviderError.unexpectedState(
                    intent,
                    "An intent with the status \(intent.status.rawValue) cannot be confirmed."
                )
            }
            guard let method = request.paymentMethod ?? intent.paymentMethod.flatMap(PaymentMethod.init(rawValue:))
            else {
                throw ProviderError.invalid(
                    "parameter_missing",
                    "An intent is confirmed with a payment method.",
                    param: "payment_method"
                )
            }
            try ChargeRule(intent.currency)?.check(intent.amount, of: intent.currency, on: method)
            intent.paymentMethod = method.rawValue
            intent.isServersOwn = request.isServersOwn
            let fault = state.faults.next(charging: method, order: intent.order)
            return try state.work(under: fault, at: now) { [intent] state, delay in
                state.charge(intent, delay: delay, at: now)
            }
        }
    }

    /// Charges an intent, at once or later.
    private mutating func charge(_ intent: PaymentIntent, delay: Int64?, at now: Int64) -> ProviderAnswer {
        var intent = intent
        if let delay {
            intent.status = .processing
            intent.settlesAt = now + delay
            replace(intent)
        }
        // The answer to slow work comes when it is done.
        intent.settle()
        if delay == nil { replace(intent) }
        return intent.chargeError.map { .error($0) } ?? .intent(intent)
    }

    /// `POST /v1/payment_intents/{id}/capture`: takes the money that an intent holds, or a part and lets go of the rest.
    mutating func captureIntent(
        _ id: String,
        _ form: [String: String],
        key: String?,
        at now: Int64
    ) -> ProviderReply {
        once(key, "/v1/payment_intents/\(id)/capture", form, at: now) { state in
            let name = "amount_to_capture"
            let parameters = Parameters(form)
            try parameters.allow([name])
            var intent = try state.existingIntent(id, at: now)
            guard intent.status == .requiresCapture else {
                throw ProviderError.unexpectedState(
                    intent,
                    "An intent with the status \(intent.status.rawValue) cannot be captured."
                )
            }
            let amount = try form[name].map { try parameters.amount($0, param: name) } ?? intent.amount
            try ChargeRule(intent.currency)?.checkStep(amount, of: intent.currency, param: name)
            guard amount <= intent.amount else {
                throw ProviderError.invalid("amount_too_large", "The intent holds less than that.", param: name)
            }
            intent.status = .succeeded
            intent.amountReceived = amount
            state.replace(intent)
            return .done(.intent(intent))
        }
    }

    /// `POST /v1/payment_intents/{id}/cancel`.
    mutating func cancelIntent(
        _ id: String,
        _ form: [String: String],
        key: String?,
        at now: Int64
    ) -> ProviderReply {
        once(key, "/v1/payment_intents/\(id)/cancel", form, at: now) { state in
            let parameters = Parameters(form)
            try parameters.allow(["cancellation_reason"])
            let reasons = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"]
            let reason = try parameters.word("cancellation_reason", of: reasons)
            var intent = try state.existingIntent(id, at: now)
            switch intent.status {
            case .requiresConfirmation, .requiresPaymentMethod, .requiresAction, .requiresCapture:
                intent.status = .canceled
                intent.cancellationReason = reason
                state.replace(intent)
                return .done(.intent(intent))
            case .processing, .succeeded, .canceled:
                throw ProviderError.unexpectedState(
                    intent,
                    "An intent with the status \(intent.status.rawValue) cannot be canceled."
                )
            }
        }
    }

    /// `GET /v1/payment_intents/{id}`.
    func intent(_ id: String, _ query: [String: String] = [:], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow(["client_secret"])
            return .intent(try existingIntent(id, at: now))
        }
    }

    /// `GET /v1/payment_intents`, newest first.
    func listIntents(_ query: [String: String], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow(Page.listNames)
            let all = intents.reversed().map { $0.settled(at: now) }
            let part = try Page(query).part(of: all, id: \.id)
            return .intents(part.items, hasMore: part.hasMore)
        }
    }

    /// `GET /v1/payment_intents/search?query=…`, newest first.
    func searchIntents(_ query: [String: String], at now: Int64) -> ProviderReply {
        reply {
            let parameters = Parameters(query)
            try parameters.allow(Page.searchNames.union(["query"]))
            let search = try SearchQuery(parameters.required("query"))
            let candidates = search.metadata["order_id"].map { intentsOfOrder[$0] ?? [] } ?? Array(intents.indices)
            let all = candidates.reversed().map { intents[$0].settled(at: now) }.filter(search.matches)
            let part = try Page(query, ofSearch: true).part(of: all, id: \.id)
            return .found(part.items, hasMore: part.hasMore)
        }
    }

    /// `POST /v1/refunds`: gives the charge of an intent back, whole or in part.
    mutating func createRefund(_ form: [String: String], key: String?, at now: Int64) -> ProviderReply {
        once(key, "/v1/refunds", form, at: now) { state in
            let request = try RefundRequest(form)
            let intent = try state.refundable(request, at: now)
            let amount = request.amount ?? state.unrefunded(of: intent, at: now)
            let fault = state.faults.next(.refund)
            return try state.work(under: fault, at: now) { state, delay in
                let fate = RefundFate(of: intent, delay: delay, isFailing: fault?.kind == .failing)
                return .refund(state.addRefund(request, of: intent, amount: amount, fate: fate, at: now))
            }
        }
    }

    /// `GET /v1/refunds/{id}`.
    func refund(_ id: String, _ query: [String: String] = [:], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow([])
            guard let index = refundIndex[id] else { throw ProviderError.notFound("refund", id) }
            return .refund(refunds[index].settled(at: now))
        }
    }

    /// `GET /v1/refunds?payment_intent=…`, newest first; all of them without an intent.
    func listRefunds(_ query: [String: String], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow(Page.listNames.union(["payment_intent", "charge"]))
            let intent = query["payment_intent"] ?? query["charge"].map(Self.intent(ofCharge:))
            let all = Array(refundsNow(of: intent, at: now).reversed())
            let part = try Page(query).part(of: all, id: \.id)
            return .refunds(part.items, hasMore: part.hasMore)
        }
    }

    /// The intent whose charge has that id.
    private static func intent(ofCharge id: String) -> String { "pi_" + id.dropFirst(3) }

    // MARK: Control

    /// Plans a fault for the next `count` calls.
    mutating func plan(_ fault: Fault, for operation: Fault.Operation, count: Int) {
        faults.plan(fault, for: operation, count: count)
    }

    /// Forgets planned faults.
    mutating func clearFaults() {
        faults.clear()
    }

    /// Everything that happened, for those who count charges.
    func ledger(at now: Int64) -> Ledger {
        Ledger(intents: intents.map { $0.settled(at: now) }, refunds: refundsNow(of: nil, at: now))
    }

    // MARK: Idempotency and faults

    /// The outcome of a call that was carried out.
    private struct Outcome {
        var reply: ProviderReply
        /// The answer kept under the idempotency key, and when the key is free for it; nil keeps nothing.
        var kept: (answer: ProviderAnswer, readyAt: Int64?)?

        static func done(_ answer: ProviderAnswer) -> Outcome {
            Outcome(reply: ProviderReply(answer), kept: (answer, nil))
        }

        static func refused(_ error: ProviderError) -> Outcome {
            Outcome(reply: ProviderReply(.error(error)), kept: nil)
        }
    }

    /// Carries a call out at most once per idempotency key.
    ///
    /// What `body` throws was refused before any work began.
    private mutating func once(
        _ key: String?,
        _ path: String,
        _ form: [String: String],
        at now: Int64,
        _ body: (inout ProviderState) throws -> Outcome
    ) -> ProviderReply {
        let call = IdempotencyTable.Call(path: path, parameters: form)
        if let key {
            guard (1...255).contains(key.utf8.count) else {
                return ProviderReply(.error(.invalid(nil, "Idempotency keys have 1 to 255 characters.")))
            }
            switch keys.verdict(on: call, key: key, at: now) {
            case .fresh: break
            case .replay(let answer): return ProviderReply(answer, isReplayed: true)
            case .otherParameters: return ProviderReply(.error(.otherParameters))
            case .inUse: return ProviderReply(.error(.keyInUse))
            }
        }
        do {
            let outcome = try body(&self)
            if let key, let kept = outcome.kept {
                keys.keep(kept.answer, of: call, key: key, readyAt: kept.readyAt ?? now, now: now)
            }
            return outcome.reply
        } catch let error as ProviderError {
            return ProviderReply(.error(error))
        } catch {
            return ProviderReply(.error(.failed))
        }
    }

    /// Does a piece of work under a fault: before it, after it, or later than usual.
    private mutating func work(
        under fault: Fault?,
        at now: Int64,
        _ body: (inout ProviderState, _ delay: Int64?) throws -> ProviderAnswer
    ) throws -> Outcome {
        switch fault?.kind {
        case nil:
            return .done(try body(&self, nil))
        case .error:
            return .refused(.failed)
        case .unavailable:
            return .refused(.unavailable)
        case .rateLimit:
            return .refused(.tooManyRequests)
        case .errorAfter:
            _ = try body(&self, nil)
            return .done(.error(.failed))
        case .timeout:
            var outcome = Outcome.done(try body(&self, nil))
            outcome.reply.transmission = .never
            return outcome
        case .reset:
            var outcome = Outcome.done(try body(&self, nil))
            outcome.reply.transmission = .cutOff
            return outcome
        case .slow, .pending, .failing:
            let delay = fault?.delayMilliseconds ?? FaultPlan.standardDelay
            var outcome = Outcome.done(try body(&self, delay))
            if case .refund(let refund) = outcome.reply.answer, fault?.kind == .slow {
                outcome.reply.answer = .refund(refund.settled(at: now + delay))
            }
            if case .refund = outcome.reply.answer, fault?.kind != .slow { return outcome }
            outcome.kept = (outcome.reply.answer, now + delay)
            outcome.reply.transmission = .at(now + delay)
            return outcome
        }
    }

    private func reply(_ body: () throws -> ProviderAnswer) -> ProviderReply {
        do {
            return ProviderReply(try body())
        } catch let error as ProviderError {
            return ProviderReply(.error(error))
        } catch {
            return ProviderReply(.error(.failed))
        }
    }

    // MARK: Tables

    private mutating func makeID(_ prefix: String) -> String {
        counter += 1
        return "\(prefix)_\(series)\(counter)"
    }

    private mutating func add(_ request: IntentRequest, at now: Int64) -> PaymentIntent {
        let intent = PaymentIntent(
            id: makeID("pi"),
            amount: request.amount,
            currency: request.currency,
            metadata: request.metadata,
            description: request.description,
            captureMethod: request.captureMethod,
            created: now / 1000,
            paymentMethod: request.paymentMethod?.rawValue,
            status: request.paymentMethod == nil ? .requiresPaymentMethod : .requiresConfirmation,
            isServersOwn: request.isServersOwn
        )
        intentIndex[intent.id] = intents.count
        intentsOfOrder[intent.order, default: []].append(intents.count)
        intents.append(intent)
        return intent
    }

    private mutating func replace(_ intent: PaymentIntent) {
        guard let index = intentIndex[intent.id] else { return }
        intents[index] = intent
    }

    private func existingIntent(_ id: String, at now: Int64) throws -> PaymentIntent {
        guard let index = intentIndex[id] else { throw ProviderError.notFound("payment_intent", id, param: "intent") }
        return intents[index].settled(at: now)
    }

    private mutating func addRefund(
        _ request: RefundRequest,
        of intent: PaymentIntent,
        amount: Int64,
        fate: RefundFate,
        at now: Int64
    ) -> Refund {
        let refund = Refund(
            id: makeID("re"),
            paymentIntent: intent.id,
            charge: intent.charge,
            amount: amount,
            currency: intent.currency,
            metadata: request.metadata,
            reason: request.reason,
            created: now / 1000,
            status: fate.first,
            settlesAt: fate.delay.map { now + $0 },
            settlesTo: fate.last
        )
        refundIndex[refund.id] = refunds.count
        refundsOfIntent[intent.id, default: []].append(refunds.count)
        refunds.append(refund)
        return refund
    }

    /// What is to become of a refund.
    private struct RefundFate {
        var first = Refund.Status.succeeded
        var last = Refund.Status.succeeded
        /// After how long it changes.
        var delay: Int64?

        /// A planned fault comes first, then the payment method's own way.
        init(of intent: PaymentIntent, delay: Int64?, isFailing: Bool) {
            self.delay = delay
            if delay != nil {
                first = .pending
                last = isFailing ? .failed : .succeeded
                return
            }
            switch intent.paymentMethod.flatMap(PaymentMethod.init(rawValue:)) {
            case .pendingRefund:
                first = .pending
                self.delay = FaultPlan.standardDelay
            case .refundFail:
                last = .failed
                self.delay = FaultPlan.standardDelay
            default: break
            }
        }
    }

    private func refundsNow(of intent: String?, at now: Int64) -> [Refund] {
        (intent.map { refundsOfIntent[$0] ?? [] } ?? Array(refunds.indices)).map { refunds[$0].settled(at: now) }
    }

    private func unrefunded(of intent: PaymentIntent, at now: Int64) -> Int64 {
        refundsNow(of: intent.id, at: now).filter { $0.status != .failed }
            .reduce(intent.amountReceived) { $0 - $1.amount }
    }

    private func refundable(_ request: RefundRequest, at now: Int64) throws -> PaymentIntent {
        let (param, id) = request.charged
        guard let index = intentIndex[param == "charge" ? Self.intent(ofCharge: id) : id] else {
            throw ProviderError.notFound(param, id, param: param, status: 400)
        }
        let intent = intents[index].settled(at: now)
        guard intent.status == .succeeded else {
            throw ProviderError.unexpectedState(intent, "This intent has no successful charge to refund.")
        }
        let rest = unrefunded(of: intent, at: now)
        guard rest > 0 else {
            throw ProviderError.invalid("charge_already_refunded", "The charge has already been refunded.")
        }
        if let amount = request.amount {
            try ChargeRule(intent.currency)?.checkStep(amount, of: intent.currency)
            guard amount <= rest else {
                throw ProviderError.invalid(
                    "amount_too_large",
                    "The refund is greater than what is left of the charge.",
                    param: "amount"
                )
            }
        }
        return intent
    }
}
