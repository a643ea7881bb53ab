// Answers of services: envelopes and the broker messages that carry them. Pure.
#pragma once

#include <string>

#include "base/errc.hpp"
#include "base/time.hpp"
#include "messages/message.hpp"
#include "runtime/entity_work.hpp"

namespace switchboard::runtime {

/// The response envelope for what an entity answered; 200 without a body if it said nothing.
std::string encode_answer(const reply_terms& terms, const decision& made, time_point now);
/// The same for an error of the runtime itself. `retry_after`: when it may help to ask again; 0 if unknown.
std::string encode_error(const reply_terms& terms, const error& why, time_point now,
                         milliseconds retry_after = milliseconds{0});
/// HTTP-like status of what an entity answered.
int status_of(const decision& made) noexcept;

/// The message to the reply queue. Precondition: terms.reply_to is not empty.
message_ptr reply_message(const reply_terms& terms, const std::string& encoded);

} // namespace switchboard::runtime
