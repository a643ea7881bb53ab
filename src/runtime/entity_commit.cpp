#include "runtime/entity_commit.hpp"

#include "base/ids.hpp"
#include "messages/json_object.hpp"
#include "messages/properties.hpp"
#include "messages/service_names.hpp"
#include "runtime/dead_letters.hpp"
#include "runtime/replies.hpp"
#include "runtime/store_log.hpp"

namespace switchboard::runtime {

namespace {

message_ptr event_message(const decision::event& what, time_point now) {
  event fact;
  fact.event_id = make_uuid();
  fact.event_type = what.type;
  fact.timestamp = now;
  fact.customer_id = what.customer_id;
  fact.resource_type = what.type.substr(0, what.type.find('.'));
  fact.resource_id = what.resource_id;
  basic_properties properties;
  properties.content_type = "application/json";
  properties.delivery_mode = 2;
  properties.message_id = fact.event_id;
  properties.headers.emplace(); // what subscribers order and choose by, without a look at the body
  properties.headers->append("customer_id", fact.customer_id);
  properties.headers->append("resource_id", fact.resource_id);
  return make_message(event_exchange(fact.resource_type), what.type, encode_properties(properties),
                      encode(fact, what.data), true);
}

/// Fills one outcome_commit; the steps stand in the order in which they take effect.
class builder {
public:
  builder(const entity_after& entity, const entity_work& cause, const decision& made, const entity_timers& armed,
          time_point now, commit_tools with)
      : entity_(entity), cause_(cause), made_(made), armed_(armed), now_(now), with_(with), view_(result_.batch) {}

  outcome_commit build(const journal_terms& terms) && {
    with_.publisher.begin();
    put_state(terms);
    put_reply();
    put_events();
    put_sends();
    put_timers();
    forget_cause();
    result_.leaving.messages = with_.publisher.take();
    return std::move(result_);
  }

private:
  void put_state(const journal_terms& terms) {
    if (changes_nothing(cause_, made_))
      return;
    const auto& record = entity_.record;
    if (entity_.exists)
      result_.batch.put_entity(record);
    else if (entity_.existed)
      result_.batch.delete_entity(record.type, record.id);
    if (entity_.exists || entity_.existed)
      result_.batch.append_journal({record.type, record.id, journal_sequence(record.created, record.sequence),
                                    record.epoch, now_,
                                    journal_line(cause_.what, made_, record.sequence, entity_.existed, terms)});
  }

  void put_reply() {
    if (cause_.what.kind == SB_EVENT && !cause_.what.message_id.empty())
      result_.batch.put_reply(
          {event_scope(entity_.record.type, entity_.record.id), cause_.what.message_id, now_ + with_.reply_window, {}});
    if (!cause_.answer)
      return;
    const auto& terms = *cause_.answer;
    auto encoded = std::make_shared<const std::string>(encode_answer(terms, made_, now_));
    if (!terms.scope.empty())
      result_.batch.put_reply({terms.scope, terms.message_id, now_ + with_.reply_window, *encoded});
    if (!terms.reply_to.empty())
      with_.publisher.publish(reply_message(terms, *encoded), view_);
    result_.leaving.reply = std::move(encoded);
    result_.leaving.status = status_of(made_);
  }

  void put_events() {
    for (const auto& event : made_.events) {
      const auto fate = with_.publisher.publish(event_message(event, now_), view_);
      const bool lost = fate == broker::routed::no_exchange || fate == broker::routed::internal;
      (lost ? result_.leaving.unrouted : result_.leaving.event_types).push_back(event.type);
    }
  }

  void put_sends() {
    for (const auto& send : made_.sends) {
      auto work = std::make_shared<entity_work>();
      work->outbox = with_.store.take_positions(1);
      work->may_create = true;
      work->what.kind = SB_MESSAGE;
      work->what.message_id = "outbox-" + std::to_string(work->outbox);
      work->what.customer_id = entity_.exists || entity_.existed ? entity_.record.customer_id : cause_.what.customer_id;
      work->what.name = send.name;
      work->what.from_type = entity_.record.type;
      work->what.from_id = entity_.record.id;
      work->what.body = send.body;
      addressed_work addressed{send.to_type, send.to_id, std::move(work)};
      result_.batch.put_outbox({addressed.work->outbox, entity_.record.epoch, encode_outbox(addressed)});
      result_.leaving.sends.push_back(std::move(addressed));
    }
  }

  void put_timers() {
    if (!entity_.exists)
      return drop_all_timers();
    auto armed = armed_;
    if (cause_.what.kind == SB_TIMER)
      drop_timer(armed, cause_.what.name);
    for (const auto& change : made_.timers) {
      drop_timer(armed, change.name);
      if (change.delay)
        arm_timer(armed, change);
    }
  }

  void drop_all_timers() {
    if (entity_.existed)
      result_.batch.delete_timers(entity_.record.type, entity_.record.id);
    for (const auto& [name, token] : armed_)
      result_.leaving.timers.push_back({named_timer(name, token), false});
  }

  void drop_timer(entity_timers& armed, const std::string& name) {
    const auto found = armed.find(name);
    if (found == armed.end())
      return;
    result_.batch.delete_timer(entity_.record.type, entity_.record.id, name);
    result_.leaving.timers.push_back({named_timer(name, found->second), false});
    armed.erase(found);
  }

  void arm_timer(entity_timers& armed, const decision::timer_change& change) {
    auto timer = named_timer(change.name, with_.timers.next_token());
    timer.payload = change.payload;
    timer.due = now_ + *change.delay;
    armed[change.name] = timer.token;
    result_.batch.put_timer({timer.type, timer.id, timer.name, entity_.record.epoch, timer.due, timer.payload});
    result_.leaving.timers.push_back({std::move(timer), true});
  }

  armed_timer named_timer(const std::string& name, timer_token token) const {
    armed_timer timer;
    timer.type = entity_.record.type;
    timer.id = entity_.record.id;
    timer.name = name;
    timer.token = token;
    return timer;
  }

  void forget_cause() {
    if (cause_.at != 0)
      result_.batch.delete_message(cause_.queue, cause_.at);
    if (cause_.outbox != 0)
      result_.batch.delete_outbox(cause_.outbox);
  }

  const entity_after& entity_;
  const entity_work& cause_;
  const decision& made_;
  const entity_timers& armed_;
  const time_point now_;
  commit_tools with_;
  outcome_commit result_;
  transaction_view view_;
};

} // namespace

outcome_commit make_commit(const entity_after& entity, const entity_work& cause, const decision& made,
                           const entity_timers& armed, time_point now, const journal_terms& terms, commit_tools with) {
  return builder{entity, cause, made, armed, now, with}.build(terms);
}

store::batch make_move(const store::entity_record& moved, time_point now, const journal_terms& terms) {
  store::batch batch;
  batch.put_entity(moved);
  batch.append_journal({moved.type, moved.id, journal_sequence(moved.created, moved.sequence), moved.epoch, now,
                        move_line(moved.sequence, terms)});
  return batch;
}

bool changes_nothing(const entity_work& cause, const decision& made) {
  return cause.what.kind == SB_REQUEST && !made.state && !made.ended && made.events.empty() && made.sends.empty() &&
         made.timers.empty();
}

store::batch make_discard(const std::string& type, const std::string& id, const entity_work& cause) {
  store::batch batch;
  if (cause.what.kind == SB_TIMER)
    batch.delete_timer(type, id, cause.what.name);
  if (cause.outbox != 0)
    batch.delete_outbox(cause.outbox);
  return batch;
}

expected<outcome_commit> make_burial(const addressed_work& cause, const error& why, const error& answer, time_point now,
                                     commit_tools with) {
  outcome_commit result;
  transaction_view view{result.batch};
  const auto& work = *cause.work;
  with.publisher.begin();
  const auto letter = make_dead_letter(cause, why, now);
  if (with.publisher.publish(letter, view) != broker::routed::queued) {
    static_cast<void>(with.publisher.take());
    return {errc::not_found, "no queue '" + std::string{letter->routing_key()} + "'"};
  }
  result.leaving.status = status_of(answer.code);
  if (work.answer) {
    auto encoded = std::make_shared<const std::string>(encode_error(*work.answer, answer, now));
    if (!work.answer->reply_to.empty())
      with.publisher.publish(reply_message(*work.answer, *encoded), view);
    result.leaving.reply = std::move(encoded);
  }
  if (work.what.kind == SB_TIMER)
    result.batch.delete_timer(cause.type, cause.id, work.what.name);
  if (work.at != 0)
    result.batch.delete_message(work.queue, work.at);
  if (work.outbox != 0)
    result.batch.delete_outbox(work.outbox);
  result.leaving.messages = with.publisher.take();
  return result;
}

std::string event_scope(const std::string& type, const std::string& id) { return "entity/" + type + "/" + id; }

std::string encode_outbox(const addressed_work& what) {
  const auto& message = what.work->what;
  json_object out;
  out.text("to_type", what.type).text("to_id", what.id).text("customer_id", message.customer_id);
  out.text("name", message.name).text("from_type", message.from_type).text("from_id", message.from_id);
  out.text("body", message.body);
  return std::move(out).finish();
}

expected<addressed_work> decode_outbox(const store::outbox_record& record) {
  const auto value = json::parse(record.bytes, nullptr, /*allow_exceptions*/ false);
  if (!value.is_object())
    return {errc::corrupt, "outbox record " + std::to_string(record.number) + " is not an object"};
  const auto text = [&](const char* name) {
    const auto found = value.find(name);
    return found != value.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  auto work = std::make_shared<entity_work>();
  work->outbox = record.number;
  work->may_create = true;
  work->what.kind = SB_MESSAGE;
  work->what.message_id = "outbox-" + std::to_string(record.number);
  work->what.customer_id = text("customer_id");
  work->what.name = text("name");
  work->what.from_type = text("from_type");
  work->what.from_id = text("from_id");
  work->what.body = text("body");
  addressed_work result{text("to_type"), text("to_id"), std::move(work)};
  if (result.type.empty() || result.id.empty())
    return {errc::corrupt, "outbox record " + std::to_string(record.number) + " has no address"};
  if (const auto& body = result.work->what.body; !body.empty() && !is_json(body)) // it goes into the journal as it is
    return {errc::corrupt, "outbox record " + std::to_string(record.number) + " has a body that is not JSON"};
  return result;
}

} // namespace switchboard::runtime
