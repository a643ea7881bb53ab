// What can be done to one message queue, as values: random, printable, and shortened when they show a difference. The
// naive model (queue_model.hpp) and the real queue both take them and say what was to be seen.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/message_queue.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker::model {

/// Consumers have the lower places, takers (basic.get) those behind.
inline constexpr unsigned consumers_max = 4;
inline constexpr unsigned takers_max = 2;
inline constexpr unsigned places = consumers_max + takers_max;

enum class kind : std::uint8_t {
  publish,      ///< `count` messages alike, in one batch
  consume,      ///< at a free place
  cancel,       ///< no more deliveries; what is out stays out
  leave,        ///< the consumer or taker is gone, what it has out comes back
  settle,       ///< deliveries first..last
  set_prefetch, ///< of a consumer that runs
  grant,        ///< the link has room again
  get,          ///< by a taker
  purge,        ///< all that is ready
  wait,         ///< time passes
  put_away,     ///< a deep queue hands to the log what it wants to let go of
  let_go,       ///< the log has it; then it goes
  change,       ///< a policy asks something else of the queue
  restart,      ///< the node
};

/// One of them. Only the fields of its kind count.
struct operation {
  kind what = kind::publish;
  unsigned place = 0; ///< of who does it
  // publish
  unsigned count = 1;
  bool durable = false;
  std::uint8_t priority = 0;
  std::optional<unsigned> expiration_ms;
  std::size_t size = 1; ///< of the body
  // consume, set_prefetch, get
  std::uint32_t prefetch = 0;
  std::int32_t rank = 0; ///< x-priority
  bool no_ack = false;
  bool exclusive = false;
  // settle: which of those that are out, or a number whatever it is; how many
  verdict how = verdict::ack;
  unsigned which = 0;
  unsigned more = 0;
  bool from_the_first = false; ///< basic.ack, multiple
  bool by_number = false;
  delivery_number first = 0, last = 0; ///< filled in before it is done
  // wait, put_away
  unsigned ms = 0;
  std::size_t bytes = 0;
  // change
  queue_arguments arguments;
};

/// What was to be seen of one operation.
struct outcome {
  std::array<std::vector<std::string>, places> delivered;
  std::vector<std::string> dead;
  std::vector<std::string> told; ///< refusals and answers
  std::uint64_t ready = 0, ready_bytes = 0, unacked = 0;
  std::uint32_t consumers = 0;
  std::optional<std::int64_t> next_expiry_ms; ///< since the beginning
  std::vector<unsigned> in_log;               ///< messages, by age
  std::string complaint;                      ///< what must never be
  friend bool operator==(const outcome&, const outcome&) = default;
};

// -- as text ----------------------------------------------------------------------------------------------------------

inline std::string_view text_of(verdict what) {
  switch (what) {
  case verdict::ack:
    return "ack";
  case verdict::requeue:
    return "requeue";
  case verdict::reject:
    return "reject";
  case verdict::settled:
    break;
  }
  return "settled";
}

template <class Value>
void print(std::ostream& out, std::string_view name, const std::optional<Value>& value) {
  if (value)
    out << ' ' << name << '=' << *value;
}

inline std::string text_of(const queue_arguments& how) {
  std::ostringstream out;
  out << (how.counts_deliveries ? "quorum" : "classic");
  if (how.message_ttl)
    out << " ttl=" << how.message_ttl->count();
  print(out, "max_length", how.max_length);
  print(out, "max_length_bytes", how.max_length_bytes);
  if (how.when_full != overflow::drop_head)
    out << (how.when_full == overflow::reject_publish ? " reject-publish" : " reject-publish-dlx");
  print(out, "dead_letter_exchange", how.dead_letter_exchange);
  if (how.max_priority)
    out << " max_priority=" << unsigned{how.max_priority};
  if (how.single_active_consumer)
    out << " single_active_consumer";
  print(out, "delivery_limit", how.delivery_limit);
  return out.str();
}

inline std::ostream& operator<<(std::ostream& out, const operation& what) {
  switch (what.what) {
  case kind::publish:
    out << "publish count=" << what.count << (what.durable ? " durable" : "") << " size=" << what.size;
    if (what.priority)
      out << " priority=" << unsigned{what.priority};
    print(out, "expiration", what.expiration_ms);
    return out;
  case kind::consume:
    return out << "consume place=" << what.place << " prefetch=" << what.prefetch << " rank=" << what.rank
               << (what.no_ack ? " no_ack" : "") << (what.exclusive ? " exclusive" : "");
  case kind::cancel:
    return out << "cancel place=" << what.place;
  case kind::leave:
    return out << "leave place=" << what.place;
  case kind::settle:
    return out << text_of(what.how) << " place=" << what.place << " deliveries=" << what.first << ".." << what.last;
  case kind::set_prefetch:
    return out << "set_prefetch place=" << what.place << " prefetch=" << what.prefetch;
  case kind::grant:
    return out << "grant place=" << what.place;
  case kind::get:
    return out << "get place=" << what.place << (what.no_ack ? " no_ack" : "");
  case kind::purge:
    return out << "purge";
  case kind::wait:
    return out << "wait " << what.ms << "ms";
  case kind::put_away:
    return out << "put_away all but " << what.bytes << " bytes";
  case kind::let_go:
    return out << "let_go all but " << what.bytes << " bytes";
  case kind::change:
    return out << "change to " << text_of(what.arguments);
  case kind::restart:
    break;
  }
  return out << "restart";
}

inline std::ostream& operator<<(std::ostream& out, const outcome& what) {
  for (const auto& each : what.told)
    out << each << "; ";
  for (unsigned place = 0; place < places; ++place)
    for (const auto& each : what.delivered[place])
      out << "to " << place << ' ' << each << "; ";
  for (const auto& each : what.dead)
    out << "dead " << each << "; ";
  out << "ready=" << what.ready << " bytes=" << what.ready_bytes << " unacked=" << what.unacked
      << " consumers=" << what.consumers;
  print(out, "next_expiry_ms", what.next_expiry_ms);
  out << " log:";
  for (const auto message : what.in_log)
    out << ' ' << message;
  return out << (what.complaint.empty() ? "" : " !! ") << what.complaint;
}

/// "#5 message 17 again, 3 returns"
inline std::string delivery_text(delivery_number number, unsigned message, bool redelivered,
                                 std::optional<std::int64_t> returns) {
  return "#" + std::to_string(number) + " message " + std::to_string(message) + (redelivered ? " again" : "") +
         (returns ? ", " + std::to_string(*returns) + " returns" : "");
}
inline std::string letter_text(unsigned message, std::string_view why) {
  return std::to_string(message) + ' ' + std::string{why};
}

/// As a client would declare it.
inline field_table table_of(const queue_arguments& how) {
  field_table table;
  const auto number = [&](std::string_view name, const auto& value) {
    if (value)
      table.append(std::string{name}, static_cast<std::int64_t>(*value));
  };
  table.append("x-queue-type", how.counts_deliveries ? "quorum" : "classic");
  if (how.message_ttl)
    table.append("x-message-ttl", static_cast<std::int64_t>(how.message_ttl->count()));
  number("x-max-length", how.max_length);
  number("x-max-length-bytes", how.max_length_bytes);
  number("x-delivery-limit", how.delivery_limit);
  if (how.when_full != overflow::drop_head)
    table.append("x-overflow", how.when_full == overflow::reject_publish ? "reject-publish" : "reject-publish-dlx");
  if (how.dead_letter_exchange)
    table.append("x-dead-letter-exchange", *how.dead_letter_exchange);
  if (how.dead_letter_routing_key)
    table.append("x-dead-letter-routing-key", *how.dead_letter_routing_key);
  if (how.max_priority)
    table.append("x-max-priority", std::int64_t{how.max_priority});
  if (how.single_active_consumer)
    table.append("x-single-active-consumer", true);
  return table;
}

// -- messages ---------------------------------------------------------------------------------------------------------

/// The n-th message that is published says so in its body.
inline message_ptr message_of(const operation& publish, unsigned number) {
  basic_properties properties;
  if (publish.durable)
    properties.delivery_mode = 2;
  if (publish.priority)
    properties.priority = publish.priority;
  if (publish.expiration_ms)
    properties.expiration = std::to_string(*publish.expiration_ms);
  return make_message("", "q", encode_properties(properties), std::to_string(number) + std::string(publish.size, 'x'),
                      publish.durable);
}
inline unsigned number_of(const message& what) {
  unsigned number = 0;
  std::from_chars(what.body().data(), what.body().data() + what.body().size(), number);
  return number;
}

// -- at random --------------------------------------------------------------------------------------------------------

/// What a system under test can do.
struct abilities {
  bool time = true;   ///< passes by operations alone
  bool paging = true; ///< is an operation; else the queue does it by itself
};

/// One queue's life.
struct world {
  queue_arguments arguments;
  std::size_t page_bytes = 1; ///< read back at once
  std::vector<operation> operations;
};

class generator {
public:
  generator(std::uint64_t seed, abilities can) : random_(seed), can_(can) {}

  world make(std::size_t operations) {
    world made;
    made.arguments = any_arguments();
    made.page_bytes = 1 + pick(1000);
    start_ = made.arguments;
    batches_ = chance(4);
    deep_ = chance(3);
    many_big_ = chance(10);
    restarts_ = chance(2);
    // They fill a link (1 MiB); all together are less than what may die at once (message_queue::dead_bytes_max).
    big_left_ = 24;
    for (std::size_t n = 0; n < operations; ++n)
      made.operations.push_back(any_operation());
    return made;
  }

private:
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }
  bool chance(unsigned one_in) { return pick(one_in) == 0; }

  std::optional<milliseconds> any_life() {
    if (!can_.time)
      return chance(2) ? std::nullopt : std::optional{milliseconds{3'600'000}};
    return milliseconds{std::array{0, 5, 20, 60, 3'600'000}[pick(5)]};
  }

  void choose_limits(queue_arguments& how) {
    how.message_ttl = chance(3) ? any_life() : std::nullopt;
    how.max_length = chance(3) ? std::optional<std::uint64_t>{pick(12)} : std::nullopt;
    how.max_length_bytes = chance(5) ? std::optional<std::uint64_t>{pick(300)} : std::nullopt;
    how.when_full = std::array{overflow::drop_head, overflow::drop_head, overflow::reject_publish,
                               overflow::reject_publish_dlx}[pick(how.counts_deliveries ? 3 : 4)];
    how.dead_letter_exchange = chance(2) ? std::optional<std::string>{""} : std::nullopt;
    if (how.dead_letter_exchange)
      how.dead_letter_routing_key = "dead";
    how.delivery_limit = how.counts_deliveries && !chance(3) ? std::optional<std::uint64_t>{pick(4)} : std::nullopt;
  }

  queue_arguments any_arguments() {
    queue_arguments how;
    how.counts_deliveries = chance(3);
    if (!how.counts_deliveries && chance(4))
      how.max_priority = static_cast<std::uint8_t>(1 + pick(4));
    how.single_active_consumer = chance(6);
    choose_limits(how);
    return how;
  }

  verdict any_verdict() {
    return std::array{verdict::ack,     verdict::ack,    verdict::ack,    verdict::requeue,
                      verdict::requeue, verdict::reject, verdict::reject, verdict::settled}[pick(8)];
  }

  operation any_operation() {
    operation made;
    made.place = pick(consumers_max);
    const auto dice = pick(1000);
    if (can_.paging && deep_ && chance(5)) {
      made.what = chance(2) ? kind::put_away : kind::let_go;
      made.bytes = chance(2) ? 0 : pick(1500);
    } else if (dice < 330) {
      made.what = kind::publish;
      made.count = deep_ ? 1 + pick(8) : batches_ ? 1 + pick(4) : 1;
      made.durable = chance(2);
      made.priority = static_cast<std::uint8_t>(chance(2) ? 0 : pick(8));
      if (chance(6))
        if (const auto life = any_life())
          made.expiration_ms = static_cast<unsigned>(life->count());
      made.size = pick(80);
      if (big_left_ >= made.count && chance(many_big_ ? 5 : 400)) {
        made.size = 150'000;
        big_left_ -= made.count;
      }
    } else if (dice < 430) {
      made.what = kind::consume;
      made.prefetch = pick(5);
      made.rank = chance(3) ? static_cast<std::int32_t>(pick(3)) - 1 : 0;
      made.no_ack = chance(5);
      made.exclusive = chance(12);
    } else if (dice < 660) {
      made.what = kind::settle;
      made.place = pick(consumers_max + takers_max);
      made.how = any_verdict();
      made.which = pick(1000);
      made.more = chance(2) ? 0 : pick(5);
      made.from_the_first = chance(4);
      made.by_number = chance(10);
    } else if (dice < 700) {
      made.what = kind::leave;
      made.place = pick(consumers_max + takers_max);
    } else if (dice < 725) {
      made.what = kind::cancel;
    } else if (dice < 755) {
      made.what = kind::set_prefetch;
      made.prefetch = pick(6);
    } else if (dice < 815) {
      made.what = kind::grant;
    } else if (dice < 885) {
      made.what = kind::get;
      made.place = consumers_max + pick(takers_max);
      made.no_ack = chance(3);
    } else if (dice < 945) {
      made.what = can_.time ? kind::wait : kind::grant;
      made.ms = 1 + pick(30);
    } else if (dice < 965) {
      made.what = can_.paging ? kind::put_away : kind::grant;
      made.bytes = chance(2) ? 0 : pick(1500);
    } else if (dice < 985) {
      made.what = can_.paging ? kind::let_go : kind::grant;
      made.bytes = chance(2) ? 0 : pick(1500);
    } else if (dice < 990) {
      made.what = kind::purge;
    } else if (dice < 995) {
      made.what = can_.time ? kind::change : kind::grant; // a policy of a living queue is topology's to set
      made.arguments = start_;
      choose_limits(made.arguments);
      made.arguments.max_priority = static_cast<std::uint8_t>(pick(4)); // of a declaration, not of a policy
      made.arguments.single_active_consumer = chance(2);
    } else {
      made.what = restarts_ ? kind::restart : kind::purge;
    }
    return made;
  }

  std::mt19937_64 random_;
  abilities can_;
  queue_arguments start_;
  bool batches_ = false, deep_ = false, many_big_ = false, restarts_ = false;
  unsigned big_left_ = 0;
};

// -- fewer of them ----------------------------------------------------------------------------------------------------

/// The shortest list found that still fails: the failing prefix, then parts taken out, halves first (Zeller's ddmin).
inline std::vector<operation> shrink(std::vector<operation> failing,
                                     const std::function<bool(const std::vector<operation>&)>& fails) {
  for (auto part = std::max<std::size_t>(failing.size() / 2, 1);;) {
    bool shorter = false;
    for (std::size_t at = 0; at < failing.size();) {
      auto without = failing;
      const auto begin = without.begin() + static_cast<std::ptrdiff_t>(at);
      without.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(part, without.size() - at)));
      if (fails(without)) {
        failing = std::move(without);
        shorter = true;
      } else {
        at += part;
      }
    }
    if (part == 1 && !shorter)
      return failing;
    part = std::max<std::size_t>(part / 2, 1);
  }
}

} // namespace switchboard::broker::model
