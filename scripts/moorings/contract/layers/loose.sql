-- A control's: the role of the app has all rights of the one that migrates.
GRANT owner TO app;
