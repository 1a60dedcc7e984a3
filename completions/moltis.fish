complete --keep-order --exclusive --command moltis --arguments "(COMPLETE=fish moltis -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
