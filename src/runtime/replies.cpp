#include "runtime/replies.hpp"

#include "messages/properties.hpp"

namespace switchboard::runtime {

int status_of(const decision& made) noexcept { return made.reply ? made.reply->status : 200; }

std::string encode_answer(const reply_terms& terms, const decision& made, time_point now) {
  response answer;
  answer.message_id = terms.message_id;
  answer.timestamp = now;
  answer.dialect = terms.dialect;
  answer.status_code = status_of(made);
  if (made.reply && !made.reply->reason.empty())
    answer.error = error_object(answer.status_code, made.reply->reason, terms.domain, made.reply->text);
  return encode(answer, made.reply ? made.reply->body : std::string{});
}

std::string encode_error(const reply_terms& terms, const error& why, time_point now, milliseconds retry_after) {
  request to;
  to.message_id = terms.message_id;
  to.dialect = terms.dialect;
  auto answer = make_error(to, now, why, terms.domain);
  if (retry_after > milliseconds{0})
    answer.error["retry_after"] = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
  return encode(answer);
}

message_ptr reply_message(const reply_terms& terms, const std::string& encoded) {
  basic_properties properties;
  properties.content_type = "application/json";
  if (!terms.correlation_id.empty())
    properties.correlation_id = terms.correlation_id;
  if (!terms.message_id.empty())
    properties.message_id = terms.message_id;
  properties.delivery_mode = terms.persistent ? 2 : 1;
  return make_message("", terms.reply_to, encode_properties(properties), encoded, terms.persistent);
}

} // namespace switchboard::runtime
