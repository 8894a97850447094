import { ledgerCommandSuite } from '../ledger/command-suite.ts';
import { sqliteStore } from '../ledger/stores.ts';

ledgerCommandSuite(sqliteStore);
