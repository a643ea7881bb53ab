#include "broker/stream_log.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "broker/amqp_reply.hpp"
#include "broker/stream_reader.hpp"

namespace switchboard::broker {
namespace {

constexpr time_point moment(std::int64_t ms) { return time_point{milliseconds{1'800'000'000'000 + ms}}; }

stream_offset begins(const stream_log& shape, stream_start::kind from, stream_offset offset = 0, time_point time = {}) {
  return shape.find({from, offset, time});
}
using begin_kind = stream_start::kind;

TEST(stream_log, counts_offsets_from_zero) {
  stream_log shape{{}};
  EXPECT_EQ(begins(shape, begin_kind::first), 0u);
  EXPECT_EQ(begins(shape, begin_kind::last), 0u);
  EXPECT_EQ(begins(shape, begin_kind::offset, 100), 100u);
  EXPECT_TRUE(shape.append(10, moment(0)));
  for (int i = 1; i < 5; ++i)
    EXPECT_FALSE(shape.append(10, moment(i)));
  EXPECT_EQ(shape.size(), 5u);
  EXPECT_EQ(shape.bytes(), 50u);
  EXPECT_EQ(begins(shape, begin_kind::first), 0u);
  EXPECT_EQ(begins(shape, begin_kind::last), 4u);
  EXPECT_EQ(begins(shape, begin_kind::next), 5u);
  EXPECT_EQ(begins(shape, begin_kind::offset, 3), 3u);
  EXPECT_EQ(begins(shape, begin_kind::offset, 100), 100u); // waited for
}

TEST(stream_log, finds_a_time_by_its_chunk) {
  stream_log shape{{}};
  for (const auto ms : {0, 10, 5000, 5010, 9000})
    shape.append(10, moment(ms));
  EXPECT_EQ(shape.chunks().size(), 3u);
  EXPECT_EQ(begins(shape, begin_kind::time, 0, moment(-1000)), 0u);
  EXPECT_EQ(begins(shape, begin_kind::time, 0, moment(10)), 0u);
  EXPECT_EQ(begins(shape, begin_kind::time, 0, moment(11)), 2u);
  EXPECT_EQ(begins(shape, begin_kind::time, 0, moment(5010)), 2u);
  EXPECT_EQ(begins(shape, begin_kind::time, 0, moment(5011)), 4u);
  EXPECT_EQ(begins(shape, begin_kind::time, 0, moment(9001)), 5u);
}

TEST(stream_log, keeps_chunks_short) {
  stream_log shape{{}};
  EXPECT_TRUE(shape.append(stream_log::chunk_bytes_max, moment(0)));
  EXPECT_TRUE(shape.append(1, moment(0)));
  for (std::uint64_t i = 1; i < stream_log::chunk_messages_max; ++i)
    EXPECT_FALSE(shape.append(1, moment(0)));
  EXPECT_TRUE(shape.append(1, moment(0)));
  EXPECT_TRUE(shape.append(1, moment(-1))) << "the clock was set back";
}

TEST(stream_log, lets_whole_segments_go_for_their_size) {
  stream_log shape{{.max_bytes = 250, .segment_bytes = 100}};
  std::vector<stream_offset> firsts;
  for (int i = 0; i < 10; ++i) {
    const bool opened = shape.append(50, moment(i));
    EXPECT_EQ(opened, i % 2 == 0) << i;
    while (shape.drop(moment(i))) {
    }
    firsts.push_back(shape.first());
  }
  EXPECT_EQ(firsts, (std::vector<stream_offset>{0, 0, 0, 0, 0, 2, 2, 4, 4, 6}));
  EXPECT_EQ(shape.bytes(), 200u);
  EXPECT_EQ(begins(shape, begin_kind::first), 6u);
  EXPECT_EQ(begins(shape, begin_kind::offset, 1), 6u);
  stream_log one{{.max_bytes = 10, .segment_bytes = 1000}};
  for (int i = 0; i < 10; ++i)
    one.append(50, moment(i));
  EXPECT_EQ(one.drop(moment(10)), std::nullopt) << "the segment that is written stays";
}

TEST(stream_log, lets_whole_segments_go_for_their_age) {
  stream_log shape{{.max_age = milliseconds{10'000}, .segment_bytes = 100}};
  for (const auto ms : {0, 2000, 4000, 6000, 8000}) // two chunks a segment
    shape.append(50, moment(ms));
  EXPECT_EQ(shape.drop(moment(11'000)), std::nullopt) << "its last message is young";
  EXPECT_EQ(shape.drop(moment(12'001))->first, 0u);
  EXPECT_EQ(shape.drop(moment(12'001))->first, 1u) << "the rest of its segment";
  EXPECT_EQ(shape.drop(moment(12'001)), std::nullopt);
  EXPECT_EQ(shape.first(), 2u);
  while (shape.drop(moment(1'000'000))) {
  }
  EXPECT_EQ(shape.first(), 4u);
}

TEST(stream_log, comes_back_from_its_records) {
  const stream_arguments how{.max_bytes = 1000, .segment_bytes = 120};
  stream_log shape{how};
  std::vector<std::pair<stream_offset, std::string>> records;
  for (const auto ms : {0, 10, 2000, 4000, 4001, 6000}) {
    if (const auto next = shape.next(); shape.append(40, moment(ms)))
      records.emplace_back(next, shape.chunk_record());
  }
  stream_log again{how};
  for (const auto& [first, record] : records)
    EXPECT_TRUE(again.restore(first, record));
  EXPECT_EQ(again.next(), shape.chunks().back().first);
  for (auto offset = shape.chunks().back().first; offset < shape.next(); ++offset)
    again.restore_message(offset, 40);
  EXPECT_EQ(again.next(), shape.next());
  EXPECT_EQ(again.bytes(), shape.bytes());
  ASSERT_EQ(again.chunks().size(), shape.chunks().size());
  for (std::size_t i = 0; i < shape.chunks().size(); ++i) {
    EXPECT_EQ(again.chunks()[i].first, shape.chunks()[i].first);
    EXPECT_EQ(again.chunks()[i].bytes, shape.chunks()[i].bytes);
    EXPECT_EQ(again.chunks()[i].opens_segment, shape.chunks()[i].opens_segment);
    EXPECT_GE(again.chunks()[i].last, shape.chunks()[i].last);
  }
  EXPECT_EQ(again.append(40, moment(9000)), shape.append(40, moment(9000)));
  EXPECT_EQ(again.chunks().back().opens_segment, shape.chunks().back().opens_segment);
  EXPECT_FALSE(again.restore(99, "short"));
  stream_log damaged{how}; // the only chunk's record is lost
  damaged.restore_message(3, 40);
  EXPECT_EQ(damaged.first(), 3u);
  EXPECT_EQ(damaged.next(), 4u);
}

TEST(ages, are_numbers_with_a_unit) {
  using std::chrono::hours;
  EXPECT_EQ(read_age("1s"), milliseconds{1000});
  EXPECT_EQ(read_age("5m"), milliseconds{300'000});
  EXPECT_EQ(read_age("2h"), hours{2});
  EXPECT_EQ(read_age("1D"), hours{24});
  EXPECT_EQ(read_age("1M"), hours{30 * 24});
  EXPECT_EQ(read_age("1Y"), hours{365 * 24});
  EXPECT_GT(*read_age("9000000000000000000Y"), hours{500 * 365 * 24});
  for (const auto* text : {"", "5", "h", "0s", "-1h", "1d", "1 h", "1hh", "bogus"})
    EXPECT_EQ(read_age(text), std::nullopt) << text;
}

field_table begin_at(field_value value) {
  field_table made;
  made.append("x-stream-offset", std::move(value));
  return made;
}

TEST(stream_consumers, begin_where_they_ask) {
  const auto kind = [](field_value value) {
    return check_stream_consumer("s", 1, false, begin_at(std::move(value)), moment(0))->from;
  };
  EXPECT_EQ(check_stream_consumer("s", 1, false, {}, moment(0))->from, begin_kind::next);
  EXPECT_EQ(kind("first"), begin_kind::first);
  EXPECT_EQ(kind("last"), begin_kind::last);
  EXPECT_EQ(kind("next"), begin_kind::next);
  EXPECT_EQ(kind(byte_array{"first"}), begin_kind::first);
  EXPECT_EQ(kind(5), begin_kind::offset);
  EXPECT_EQ(check_stream_consumer("s", 1, false, begin_at(-5), moment(0))->offset, 0u);
  EXPECT_EQ(check_stream_consumer("s", 1, false, begin_at(std::int64_t{77}), moment(0))->offset, 77u);
  EXPECT_EQ(check_stream_consumer("s", 1, false, begin_at("1h"), moment(0))->time, moment(-3'600'000));
  EXPECT_EQ(check_stream_consumer("s", 1, false, begin_at(timestamp{1'800'000'000}), moment(0))->time, moment(0));
}

TEST(stream_consumers, are_refused_in_rabbitmqs_words) {
  const auto stream = named("queue", "s", "/");
  const auto why = [&](std::uint32_t prefetch, bool no_ack, const field_table& arguments) {
    return check_stream_consumer(stream, prefetch, no_ack, arguments, moment(0)).error().what;
  };
  const std::string no_prefetch =
      "PRECONDITION_FAILED - consumer prefetch count is not set for 'queue 's' in vhost '/''";
  EXPECT_EQ(why(0, false, {}), no_prefetch);
  EXPECT_EQ(why(0, true, {}), no_prefetch);
  EXPECT_EQ(why(1, true, {}),
            "NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queues queue 's' in vhost '/'");
  EXPECT_EQ(why(1, false, begin_at("5")), "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 's' in vhost "
                                          "'/': {invalid_stream_offset_arg,{longstr,<<\"5\">>}}");
  EXPECT_NE(why(1, false, begin_at(true)), "");
  EXPECT_NE(why(1, false, begin_at(1.5)), "");
  field_table priority;
  priority.append("x-priority", 1);
  EXPECT_EQ(why(1, false, priority), "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 's' in vhost '/' of "
                                     "queue type rabbit_stream_queue");
}

TEST(stream_reader, is_sent_no_more_than_it_has_not_settled) {
  stream_reader reader{2, 5};
  EXPECT_TRUE(reader.can_take());
  EXPECT_EQ(reader.hand(10), 1u);
  EXPECT_EQ(reader.hand(10), 2u);
  EXPECT_EQ(reader.next(), 7u);
  EXPECT_FALSE(reader.can_take());
  reader.settle(1, 1);
  EXPECT_TRUE(reader.can_take());
  reader.settle(2, 99); // more than there is
  EXPECT_EQ(reader.unsettled(), 0u);
  reader.skip_to(3);
  EXPECT_EQ(reader.next(), 7u);
  reader.skip_to(9);
  EXPECT_EQ(reader.next(), 9u);
  reader.stop();
  EXPECT_FALSE(reader.can_take());
}

TEST(stream_reader, is_sent_no_more_than_its_link_takes) {
  stream_reader reader{1'000'000, 0};
  reader.hand(link_bytes_max);
  EXPECT_FALSE(reader.can_take());
  reader.grant(1, link_bytes_max);
  EXPECT_TRUE(reader.can_take());
  for (std::size_t i = 0; i < link_messages_max; ++i)
    reader.hand(1);
  EXPECT_FALSE(reader.can_take());
}

} // namespace
} // namespace switchboard::broker
