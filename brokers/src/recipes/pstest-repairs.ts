/** A fault of pstest 2.8.0, and the change of its source that ends it. */
interface Repair {
  readonly fault: string
  readonly find: string
  readonly replace: string
}

/** Where the fake would mislead a driver's tests: it differs from the service, or crashes. */
export const pstestRepairs: readonly Repair[] = [
  {
    fault: 'a seek to the past brings messages back without their content, and crashes on them',
    find: '//Message: pm,',
    replace: `Message: &pb.PubsubMessage{
					MessageId:   m.ID,
					Data:        m.Data,
					Attributes:  m.Attributes,
					OrderingKey: m.OrderingKey,
					PublishTime: timestamppb.New(m.PublishTime),
				},`,
  },
  {
    fault: 'a seek to the past brings back the messages of all topics',
    find: '		if m.PublishTime.Before(target) {',
    replace: '		if m.PublishTime.Before(target) || m.Topic != sub.topic.proto.Name {',
  },
  {
    fault: 'deleting a subscription leaves its streams open and silent',
    find: '	case <-tchan:\n',
    replace: `	case <-tchan:
	case <-st.sub.done:
		err = status.Error(codes.NotFound, "Subscription does not exist")
`,
  },
  {
    fault: 'what lies in subscriptions that nobody reads takes the time of all others',
    find: `	now := s.timeNowFunc()
	s.maintainMessages(now)
	// Try to deliver each remaining message.
`,
    replace: `	if len(s.streams) == 0 {
		return
	}
	now := s.timeNowFunc()
	s.maintainMessages(now)
`,
  },
]
