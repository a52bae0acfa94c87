"""One file per conversation. Each names its screens, commands, taps and typed answers for `bot.conversation`."""
