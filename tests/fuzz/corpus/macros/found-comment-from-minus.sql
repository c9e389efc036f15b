'' ()1)1)))))
printzfmax(
$



b,

)











--!










-$__unixEpochNanoFilter(-1 <‮ ) $__unixEpochNanoFilter(.‮ )) , sqlite_dbpagch :ax'00ff0
?


lope 
BEGIN
MATC





MATCH 


s 

-- 










day
-0
?
__$
 



time 



-0

)

$__from
)




lope 
BEGIN
-- 










1




1 

lopmax(ä $



b,

)ä 






s 

-- 