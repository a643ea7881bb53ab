// The parts of a call that most calls never have: what it is bridged with, a transfer, a parking place, what is played
// or recorded, who follows it. They stand apart so that a plain call carries and stores nothing of them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/entity.hpp"

namespace switchboard::telephony::calls {

/// The other call of a bridge: both hear each other.
struct bond {
  std::string call_id;
  std::string token;  ///< names this bridge, so that news of an older one is not mistaken
  sdk::address party; ///< who is on the other call
  bool waits = false; ///< we were placed for it and are not answered yet

  friend bool operator==(const bond&, const bond&) = default;
};

enum class reach_purpose {
  bridge,    ///< POST /bridge
  connect,   ///< POST /connect, or another entity's `connect`
  transfer,  ///< we are the one who is transferred
  consult,   ///< we transfer somebody and talk to the new party first
  take_back, ///< we were parked too long: the parker is rung
  unpark,    ///< somebody takes us from the parking place
};
constexpr std::array<std::string_view, 6> names_of(reach_purpose) {
  return {"bridge", "connect", "transfer", "consult", "take_back", "unpark"};
}

/// Another call we are getting hold of: dialled by us, or asked. At most one at a time.
struct reach {
  std::string call_id;
  std::string token; ///< of the bridge to be
  reach_purpose purpose = reach_purpose::bridge;
  bool dialed = false;   ///< we placed it, so we hang it up; false: it was there before
  bool answered = false; ///< only of `consult`: we talk to it now
  sdk::address party;
  sdk::entity_ref requester; ///< who wanted the connection; may be empty
  std::string request_id;    ///< its connect_id, or the id of the transfer
  std::string transferer;    ///< the call that transfers us
  std::string replaces;      ///< the bridge that a call which was there before gives up for ours

  friend bool operator==(const reach&, const reach&) = default;
};

/// A bridge another entity asked for: it is told when that is over, and our call goes on.
struct connection {
  std::string connect_id;
  sdk::entity_ref requester;

  friend bool operator==(const connection&, const connection&) = default;
};

enum class transfer_phase {
  finding,    ///< the conference is asked who else is in it
  going,      ///< the transferee is at it
  calling,    ///< attended: the new party is being called
  consulting, ///< attended: we talk to the new party
};
constexpr std::array<std::string_view, 4> names_of(transfer_phase) {
  return {"finding", "going", "calling", "consulting"};
}

/// We are the one who transfers.
struct transfer {
  std::string id;
  bool attended = false;
  transfer_phase phase = transfer_phase::finding;
  std::string transferee;   ///< the call that changes its partner; empty until found
  std::string bond;         ///< what ties it to us: the token of a bridge or the id of a conference
  std::string target;       ///< a call that is there already; empty: `destination` is dialled
  sdk::address destination; ///< empty if a call is named
  milliseconds dial_timeout{};

  friend bool operator==(const transfer&, const transfer&) = default;
};

struct parking {
  time_point since{};
  time_point until{};
  sdk::address return_to; ///< who is rung when the time is over; empty: the call is hung up

  friend bool operator==(const parking&, const parking&) = default;
};

struct playing {
  std::string play_id;
  sdk::entity_ref requester; ///< who is told of its end; may be empty

  friend bool operator==(const playing&, const playing&) = default;
};

struct recording {
  std::string id;
  time_point since{};

  friend bool operator==(const recording&, const recording&) = default;
};

struct call_parts {
  std::optional<bond> peer;
  std::optional<reach> other;
  std::optional<connection> connect;
  std::optional<transfer> moving;
  std::optional<parking> parked;
  std::optional<playing> play;
  std::optional<recording> record;
  std::string mute;   ///< in, out, both; empty: not muted
  std::string digits; ///< the last ones the far end pressed
  std::uint64_t digit_sequence = 0;
  std::uint64_t visit = 0;                ///< which of its conference's invitations brought it in
  std::vector<std::string> chained;       ///< calls that are hung up with this one
  std::string master_call_id;             ///< the call this one is chained to
  std::vector<sdk::entity_ref> followers; ///< are told what happens
  std::string flow_id;                    ///< begins when the call is answered, or at once if it came in
  std::string activeflow_id;              ///< the run of it
  // For the call record.
  std::string past_queue;
  std::vector<std::string> past_conferences;
  std::string transferred_from;
  std::string transferred_to;

  friend bool operator==(const call_parts&, const call_parts&) = default;
};

/// How it was hung up.
struct call_ending {
  std::string by;
  std::string reason;
  std::string pending; ///< why we are hanging up, if that outdoes the table: noanswer, timeout

  friend bool operator==(const call_ending&, const call_ending&) = default;
};

/// A T that is usually untouched: then it costs a null pointer. Copies share it until one is changed. For one thread.
template <class T>
class rarely {
public:
  const T& operator*() const noexcept { return made_ ? *made_ : untouched(); }
  const T* operator->() const noexcept { return &**this; }

  T& change() {
    if (!made_ || made_.use_count() > 1)
      made_ = std::make_shared<T>(**this);
    return *made_;
  }
  bool is_untouched() const noexcept { return !made_ || *made_ == untouched(); }

private:
  static const T& untouched() noexcept {
    static const T empty{};
    return empty;
  }

  std::shared_ptr<T> made_;
};

void to_json(json& out, const call_parts& from);
void from_json(const json& in, call_parts& to);

} // namespace switchboard::telephony::calls
