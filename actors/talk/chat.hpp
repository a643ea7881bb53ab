// A chat: what agents write to each other, or a customer's program to them. Everything that happens in it is an event
// that names all participants in agent_ids, so it reaches each of them under a topic of his own.
#pragma once

#include <string>
#include <vector>

#include "actors/talk/chat_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

struct reaction {
  std::string emoji;
  std::vector<std::string> agent_ids; ///< who gave it, in order; never empty
};

struct chat_message {
  std::string id;
  std::string agent_id; ///< who wrote it
  std::string text;
  std::string parent_id; ///< the message it answers, may be empty
  std::vector<reaction> reactions;
  time_point sent{};
};

struct chat {
  std::string id;
  std::string customer_id;
  chat_kind kind = chat_kind::group;
  std::string name;
  std::string detail;
  std::vector<std::string> participants; ///< agents' ids
  std::vector<chat_message> messages;    ///< the last ones, oldest first
  std::uint64_t message_count = 0;       ///< all that were ever written
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<chat>& chat_type();

} // namespace switchboard::telephony
